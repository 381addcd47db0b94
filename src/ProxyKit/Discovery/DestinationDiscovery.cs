using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Primitives;
using ProxyKit.Pipeline;

namespace ProxyKit.Discovery;

/// <summary>Asks the source about one configured destination, again and again, and keeps what it knows.</summary>
[SuppressMessage("Design", "CA1001", Justification = "It has no timer and no linked sources; there is nothing to dispose.")]
internal sealed class DestinationDiscovery(Cluster cluster, DiscoveryQuery query, DestinationDiscovery? predecessor)
{
    private static readonly TimeSpan s_shortest = TimeSpan.FromSeconds(1), s_longest = TimeSpan.FromDays(1);

    private readonly DiscoveryServices _services = cluster.Services.Discovery;
    private readonly IDestinationSource _source = cluster.Services.Discovery.Find(query.Discovery.Source)!;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long? _emptySince = predecessor?._emptySince;
    private int _misses;

    public DiscoveryQuery Query => query;

    /// <summary>What is known; null before anything is.</summary>
    public ValueList<ResolvedDestination>? Known { get; private set; } = predecessor?.Known;

    /// <summary>Whether the source has answered, or failed, at least once.</summary>
    public bool HasAsked { get; private set; } = predecessor?.HasAsked ?? false;

    public Task Asked => _asked.Task;

    public void Start()
    {
        using (ExecutionContext.SuppressFlow())
            _ = Task.Run(RunAsync);
    }

    // Not on this thread, which holds the lock: what runs then may be the source's own code.
    public void Stop() => _ = _stop.CancelAsync();

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                var (delay, changed) = await AskAsync();
                _asked.TrySetResult();
                await WaitAsync(delay, changed);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        finally
        {
            _asked.TrySetResult();
        }
    }

    /// <summary>Asks once; when to ask again.</summary>
    private async Task<(TimeSpan Delay, IChangeToken? Changed)> AskAsync()
    {
        ResolvedDestinations answer;
        ValueList<ResolvedDestination> found;
        try
        {
            answer = await AnswerAsync();
            found = Valid(answer.Destinations);
        }
        catch (Exception e) when (!_stop.IsCancellationRequested && e is not OutOfMemoryException)
        {
            var next = NextAttempt();
            _services.Metrics.Asked(query, "failure");
            _services.Log.Failed(query, e, Known?.Count ?? 0, next);
            Apply(Known);
            return (next, null);
        }

        _services.Metrics.Asked(query, found.Count > 0 ? "success" : "empty");
        if (found.Count == 0)
            return (None(answer), answer.ChangeToken);
        (_misses, _emptySince) = (0, null);
        Apply(found);
        return (Jittered(answer.RefreshAfter ?? query.Discovery.RefreshInterval), answer.ChangeToken);
    }

    private async Task<ResolvedDestinations> AnswerAsync()
    {
        using var limit = new CancellationTokenSource(query.Discovery.Timeout, _services.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        try
        {
            // Whether or not the source heeds the token.
            return await _source.ResolveAsync(query, either.Token).AsTask().WaitAsync(either.Token);
        }
        catch (Exception e) when (limit.IsCancellationRequested && !_stop.IsCancellationRequested)
        {
            // Whatever the source makes of its token.
            throw new TimeoutException($"No answer within {query.Discovery.Timeout}.", e);
        }
    }

    private TimeSpan None(ResolvedDestinations answer)
    {
        var hold = query.Discovery.HoldTime;
        var next = answer.RefreshAfter is { } refresh ? Jittered(refresh) : NextAttempt();
        var now = _services.Time.GetTimestamp();
        _emptySince ??= now;
        var rest = hold == Timeout.InfiniteTimeSpan ? hold : hold - _services.Time.GetElapsedTime(_emptySince.Value, now);
        if (Known is { Count: > 0 } known && (rest > TimeSpan.Zero || rest == Timeout.InfiniteTimeSpan))
        {
            _services.Log.Held(query, known.Count, rest);
            return rest != Timeout.InfiniteTimeSpan && (next == Timeout.InfiniteTimeSpan || rest < next) ? rest : next;
        }
        if (Known is not { Count: 0 })
            _services.Log.Empty(query);
        Apply([]);
        return next;
    }

    private void Apply(ValueList<ResolvedDestination>? found)
    {
        try
        {
            lock (cluster.Services.Updates)
            {
                if (_stop.IsCancellationRequested)
                    return;
                if (found is not null && !found.Equals(Known ?? []))
                    _services.Log.Changed(query, Known ?? [], found);
                (Known, HasAsked) = (found, true);
                cluster.Rebuild();
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A load balancing policy of the user's, perhaps.
            _services.Log.NotApplied(query, e);
        }
    }

    private ValueList<ResolvedDestination> Valid(ValueList<ResolvedDestination> given)
    {
        var valid = given.Where(d =>
        {
            var problem = !DestinationAddress.TryParse(d.Address, out _) ? $"it is not {DestinationAddress.Allowed}"
                : d.Weight is < 0 or > 1000 ? $"its weight is {d.Weight}, not 0 to 1000"
                : null;
            if (problem is not null)
                _services.Log.Invalid(query, d.Address, problem);
            return problem is null;
        }).ToValueList();
        return valid.Count > 0 || given.Count == 0 ? valid : throw new InvalidOperationException("None of its destinations is valid.");
    }

    /// <summary>Waits until it is time to ask again.</summary>
    private async Task WaitAsync(TimeSpan delay, IChangeToken? changed)
    {
        // One that has fired before anyone could ask for more would keep us asking without a pause.
        if (changed is { HasChanged: true })
            (delay, changed) = (s_shortest, null);
        using var wake = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        using var registration = changed?.RegisterChangeCallback(static state => _ = ((CancellationTokenSource)state!).CancelAsync(), wake);
        try
        {
            await Task.Delay(delay, _services.Time, wake.Token);
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
        }
    }

    // 1, 2, 4 … seconds, up to the interval.
    private TimeSpan NextAttempt() =>
        Jittered(TimeSpan.FromSeconds(Math.Min(Math.Pow(2, Math.Min(_misses++, 20)), query.Discovery.RefreshInterval.TotalSeconds)));

    private static TimeSpan Jittered(TimeSpan time) =>
        time == Timeout.InfiniteTimeSpan ? time
        : (time < s_shortest ? s_shortest : time > s_longest ? s_longest : time) * (0.9 + (0.2 * Random.Shared.NextDouble()));
}
