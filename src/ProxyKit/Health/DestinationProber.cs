using ProxyKit.Forwarding;
using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>Probes one destination again and again, one probe at a time, and passes the verdict on.</summary>
internal sealed class DestinationProber : IDisposable
{
    private readonly Cluster _cluster;
    private readonly Destination _destination;
    private readonly HealthServices _services;
    private readonly Probe _probe;
    private readonly DestinationAddress _target;
    private readonly ProbeStreak _streak;
    private readonly TaskCompletionSource _firstProbe = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private bool _stopped;

    public DestinationProber(Cluster cluster, Destination destination, ProberSettings settings, HealthServices services)
    {
        _cluster = cluster;
        _destination = destination;
        _services = services;
        Settings = settings;
        _probe = Probe.Create(settings.Check);
        _target = settings.Address is null ? destination.Target : DestinationAddress.Parse(settings.Address);
        cluster.Handlers.Register(_target);
        // A check that has changed does not forget what the old one knew.
        _streak = new(settings.Check, destination.ActiveHealth);
    }

    public ProberSettings Settings { get; }

    /// <summary>Done when the destination has been probed once, or will not be any more.</summary>
    public Task FirstProbe => _firstProbe.Task;

    public void Start()
    {
        // Not a part of what has started it, such as a reload within a request.
        using (ExecutionContext.SuppressFlow())
            _ = Task.Run(RunAsync);
    }

    /// <summary>Ends probing, also a probe under way.</summary>
    public void Dispose()
    {
        lock (_lock)
            _stopped = true;
        _stop.Cancel();
        _firstProbe.TrySetResult();
    }

    private async Task RunAsync()
    {
        for (var isFirst = true; !_stop.IsCancellationRequested; isFirst = false)
        {
            var started = _services.Time.GetTimestamp();
            var result = await ProbeAsync();
            if (!Report(result, _services.Time.GetElapsedTime(started)))
                return;
            _firstProbe.TrySetResult();

            var wait = ProbeSchedule.Next(Settings.Check, _streak.IsUrgent, isFirst, Random.Shared.NextDouble()) - _services.Time.GetElapsedTime(started);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, _services.Time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<ProbeResult> ProbeAsync()
    {
        using var limit = new CancellationTokenSource(Settings.Check.Timeout, _services.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _stop.Token);
        try
        {
            return await _probe.RunAsync(_cluster, _destination, _target, either.Token);
        }
        catch (Exception) when (limit.IsCancellationRequested)
        {
            return new($"no answer within {Settings.Check.Timeout}", "timeout");
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return new(UpstreamException.Cause(e), "connection");
        }
    }

    // False when the destination is no longer to be probed: then nobody wants to know.
    private bool Report(ProbeResult result, TimeSpan duration)
    {
        lock (_lock)
        {
            if (_stopped)
                return false;
            _services.Metrics.Probed(_destination, result, duration);
            if (result.Failure is { } failure)
                _services.Log.ProbeFailed(_destination.ClusterId, _destination.Name, failure);
            _destination.ProbeFailure = result.Failure;
            if (_streak.Add(result.IsSuccess))
            {
                _destination.ActiveHealth = _streak.Verdict;
                if (_streak.Verdict == DestinationHealth.Healthy)
                    _services.Log.DestinationHealthy(_destination.ClusterId, _destination.Name);
                else
                    _services.Log.DestinationUnhealthy(_destination.ClusterId, _destination.Name, result.Failure!);
            }
            return true;
        }
    }
}

/// <summary>What a prober is made of; it is replaced when this changes.</summary>
/// <param name="Check">The check.</param>
/// <param name="Address">Where it asks, if not at the destination's address.</param>
internal sealed record ProberSettings(ActiveHealthCheckConfig Check, string? Address);
