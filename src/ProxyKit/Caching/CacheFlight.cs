using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Caching;

/// <summary>
/// One request of the cache's to the upstream, made for a client's, and the decision what its answer is good for: it is stored and read by all who wait, or it validates what is stored, or it is
/// handed to the one who asked first. It goes on by itself: who asked first may be slow, or leave.
/// </summary>
internal sealed partial class CacheFlight : IDisposable
{
    // What an answer that nobody is to see may say before it is broken off.
    private const int MaxDiscarded = 64 * 1024;

    private readonly CacheStage _stage;
    private readonly TaskCompletionSource<FlightAnswer> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CacheResponseFeature _response;
    private readonly HttpContext _context;
    private readonly CachedResponse? _validating;
    private readonly CacheDirectives _directives;
    private readonly string _askedKey;
    private readonly string _storedKey;
    private readonly Activity? _activity = Activity.Current;
    private readonly DateTimeOffset _requestTime;
    private CacheFill? _fill;
    private CacheWriter? _writer;
    private long? _partLength;
    private long _discarded;
    private int _clients;
    private volatile bool _hadClients; // or it is one of the background's
    private bool _isEnded;
    private bool _isAlone; // goes on though all its clients have left

    /// <summary>Takes what it needs of the client's request, which may end before this does.</summary>
    public CacheFlight(CacheStage stage, HttpContext client, ProxyContext? proxy, string key, StoredResponse found, CacheDirectives directives)
    {
        (_stage, _askedKey, Key, _storedKey, _directives) = (stage, key, key, found.Key, directives);
        var stored = found.Response;
        _response = new(this);
        _context = DetachedContext.Create(client, proxy, _response);
        _requestTime = stage.Services.Time.GetUtcNow();
        if (proxy is not null)
            (proxy.RecordsSentFields, proxy.SentFields) = (true, null);
        var headers = _context.Request.Headers;
        if (stored is not null && CacheValidation.AddConditions(headers, stored.Head))
            _validating = stored;
        else
            CacheValidation.RemoveConditions(headers);
        Stale = stored;
        if (stage.Config.SurrogateControl && stage.Coding is null)
            headers.Append(ResponsePolicy.SurrogateCapability, $"{stage.Config.SurrogateName}=\"Surrogate/1.0\"");
        if (stage.Coding is { } coding)
        {
            headers.AcceptEncoding = coding;
            _context.Features.Set(new CodedSource());
        }
        else if (stage.AsksUncompressed)
            headers.AcceptEncoding = "identity";
        else if (headers.AcceptEncoding.Count > 0)
            headers.AcceptEncoding = CacheSelection.NormalizeAcceptEncoding(headers.AcceptEncoding);
    }

    /// <summary>What the answer is stored under.</summary>
    public string Key { get; private set; }

    /// <summary>What others find this by, to wait for the same answer; null: it is for one client alone.</summary>
    public string? FlightKey { get; init; }

    /// <summary>What was stored when this began: it may answer if the upstream fails.</summary>
    public CachedResponse? Stale { get; }

    /// <summary>What became of the request, as soon as the answer's header section is there.</summary>
    public Task<FlightAnswer> Answer => _answer.Task;

    /// <summary>Begins, on the thread pool: the client's request is not its own.</summary>
    public void Start()
    {
        using (ExecutionContext.SuppressFlow())
            _ = Task.Run(RunAsync);
    }

    /// <summary>It does not begin.</summary>
    public void Dispose() => _response.Dispose();

    /// <summary>It does not begin, though others may wait for it already: they look at the store again.</summary>
    public void GiveUp()
    {
        _stage.Services.Forget(this);
        _answer.TrySetResult(new(FlightResult.Replaced, _response));
        Dispose();
    }

    /// <summary>A client waits for the answer.</summary>
    public void Join()
    {
        _hadClients = true;
        Interlocked.Increment(ref _clients);
    }

    /// <summary>A client waits no more, or reads no more.</summary>
    public void Leave()
    {
        // Without a body to be had, or with all of it, there is nothing to spare the upstream.
        if (Interlocked.Decrement(ref _clients) == 0 && !(Answer.IsCompleted && _fill is null) && !(_fill is not null && _fill.Length == _context.Response.ContentLength))
            Abandon();
    }

    private void Abandon()
    {
        lock (_response)
        {
            if (_isEnded || (_isAlone && _fill is null or { IsStored: true }))
                return;
            if (_isAlone)
            {
                _isAlone = false;
                _stage.Services.EndedAlone();
                _response.Abort();
                return;
            }
            if ((_fill is null || _fill.IsStored) && _stage.Config.FinishWithoutClient && _stage.Services.TryGoOnAlone())
            {
                _isAlone = true;
                return;
            }
            _stage.Services.Forget(this); // before it dies: who comes now asks anew
            _response.Abort();
        }
    }

    /// <summary>The one who asked first does not read what has come for it.</summary>
    public async Task DropFirstAsync()
    {
        if ((await Answer).First is { } reader)
            await reader.DisposeAsync();
    }

    /// <summary>Called before the first byte: decides.</summary>
    public async Task StartAsync()
    {
        var (request, response, services) = (_context.Request, _context.Response, _stage.Services);
        var now = services.Time.GetUtcNow();
        var accelExpires = _context.GetProxyContext()?.AccelExpires;
        if (response.StatusCode == StatusCodes.Status304NotModified && _validating is { } validated)
        {
            var updated = _context.Features.Get<CodedSource>() is { Head: { } source } ? new UpdatedHead(Like(validated.Head, source), source.IsInvalid ? CacheRefusal.Private : CacheRefusal.None)
                : CacheValidation.Update(validated.Head, request, response, accelExpires, _requestTime, now, _stage.Policy);
            // What may not be stored answers once, and nothing of it stays; what the 304 does not belong to is asked for anew, without conditions (RFC 9111 §4.3.4).
            if (updated is null)
                await _stage.Store.RemoveAsync(_storedKey, validated, CancellationToken.None);
            else if (updated is { Refusal: CacheRefusal.None } valid && !IsOutdated)
                await _stage.Store.UpdateAsync(_storedKey, validated, valid.Head, CancellationToken.None);
            else if (updated is { Refusal: not CacheRefusal.None, LeavesStored: false })
                await _stage.Store.UpdateAsync(_storedKey, validated, validated.Head with { IsInvalid = true }, CancellationToken.None);
            _answer.SetResult(updated is { } found
                ? new(FlightResult.Validated, _response) { Updated = new ValidatedResponse(found.Head with { IsInvalid = found.Refusal != CacheRefusal.None }, validated), Refusal = found.Refusal }
                : new(FlightResult.Replaced, _response));
            return;
        }
        if (Stale is { } stale && IsFailure(response.StatusCode) && CacheUses.MayServeOnError(stale.Head, CacheUses.Age(stale.Head, now), _directives, _stage.Config))
        {
            if (!_hadClients)
                services.Log.ValidationFailed(null);
            _answer.SetResult(new(FlightResult.Failed, _response));
            return;
        }
        var (plan, writer) = await OpenAsync(_stage.Coding is null ? Plan(accelExpires, now) : PlanCoded());
        _writer = writer;
        if (writer is null && IsAboutUrl(response.StatusCode) && request.Headers.Range.Count == 0)
            _stage.RememberUncacheable(Key, plan.Refusal);
        if (writer is null && Stale is not null && response.StatusCode < 400 && request.Headers.Range.Count == 0 && plan.Refusal != CacheRefusal.RequestChanged)
            await _stage.Store.RemoveAsync(_storedKey, Stale, CancellationToken.None); // what is stored is not what the upstream answers with any more
        _fill = new(writer, _stage.Config.MaxEntrySize, services.Buffering);
        _answer.SetResult(new(writer is null ? FlightResult.Passed : FlightResult.Stored, _response)
        {
            Head = plan.Head,
            Refusal = plan.Refusal,
            Fill = _fill,
            First = _fill.TryRead(),
        });
        if (_hadClients && Volatile.Read(ref _clients) == 0)
            Abandon(); // they left while the store was asked, or before it was known that nothing is stored
    }

    /// <summary>Called with what comes of the body.</summary>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (_fill is not null)
            return _fill.WriteAsync(bytes, cancellationToken);
        if ((_discarded += bytes.Length) > MaxDiscarded)
            throw new OperationCanceledException("Nobody wants the response any more.");
        return default;
    }

    private async Task RunAsync()
    {
        Activity.Current = _activity;
        Exception? failure = null;
        var isAborted = false;
        try
        {
            _stage.Services.SetCurrent(_context);
            await _stage.RunNextAsync(_context);
            if (!_response.IsAborted)
                await _response.EndAsync();
            isAborted = _response.IsAborted;
            failure = isAborted ? new IOException("The response was broken off.")
                : _fill is not null && (_partLength ?? _context.Response.ContentLength) is { } announced && announced != _fill.Length && !HttpMethods.IsHead(_context.Request.Method)
                    ? new IOException(string.Create(CultureInfo.InvariantCulture, $"The response's body has {_fill.Length} bytes instead of {announced}."))
                : null;
        }
        catch (Exception e)
        {
            failure = e;
        }
        try
        {
            if (failure is not null)
                _response.Abandon();
            if (failure is not null && !_hadClients && !_answer.Task.IsCompleted)
                _stage.Services.Log.ValidationFailed(failure);
            _answer.TrySetResult(new(FlightResult.Failed, _response) { Exception = failure, IsAborted = isAborted });
            // Before the last reader ends: who has had an answer to its end, and asks again, finds it.
            if (failure is null && _writer is not null && _fill!.IsStored && !IsOutdated && await _writer.CommitAsync(CancellationToken.None) && _partLength is not null)
                await PartCombiner.CombineAsync(_stage, Key);
        }
        catch (Exception e)
        {
            _stage.Services.Log.StoreFailed(_stage.Store.Name, e);
        }
        finally
        {
            _stage.Services.Forget(this);
            if (_fill is not null)
            {
                _fill.End(failure);
                await _fill.ReleaseAsync();
            }
            await DetachedContext.DisposeAsync(_context);
            lock (_response)
            {
                _isEnded = true;
                if (_isAlone)
                    _stage.Services.EndedAlone();
                _response.Dispose();
            }
        }
    }

    // Whether the response says something of all requests for the URL: the origin's own, and no status that a client can provoke with a field of its choice.
    private bool IsAboutUrl(int status) =>
        (_context.GetProxyContext() is not { } proxy || proxy.SentFields is not null || _context.Features.Get<CodedSource>() is { Head: not null })
        && status is < 400 or StatusCodes.Status404NotFound or StatusCodes.Status405MethodNotAllowed or StatusCodes.Status410Gone;

    // RFC 5861 §4
    private static bool IsFailure(int status) => status is 500 or 502 or 503 or 504;
}
