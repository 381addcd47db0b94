using System.Runtime.ExceptionServices;
using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.Caching;

/// <summary>A client's request that is not simply a hit: what is stored has to be validated, or nothing is, or it has to be waited for.</summary>
internal sealed class CacheRequest(CacheStage stage, HttpContext context, string key, CodedSource? coded)
{
    private readonly CacheDirectives _directives = CacheUses.RequestDirectives(context.Request);
    private CacheForward _forward;
    // The key of what is stored: another one than the request's where a rule of that response says so.
    private string _storedKey = "";
    // Where it is one of several variants that are fetched side by side.
    private string? _variantKey;
    private bool _isAlone;
    private bool _isGone;

    private CacheServices Services => stage.Services;

    public async Task RunAsync(ValueTask<IReadOnlyList<CachedResponse>> finding)
    {
        try
        {
            await AnswerAsync(await finding);
        }
        catch (OperationCanceledException e) when (context.RequestAborted.IsCancellationRequested && !context.Response.HasStarted && !Failure.IsRequestTimeout(context))
        {
            // As where there is no cache: nobody is there to be told, but the log.
            context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            if (context.GetProxyContext() is { } proxy)
                (proxy.Error, proxy.Exception, proxy.FailureClass) = (ProxyError.ClientAborted, e, FailureClass.Client);
        }
    }

    private async Task AnswerAsync(IReadOnlyList<CachedResponse> found)
    {
        // Each turn but the last is one that somebody else's answer was no good for.
        for (var turn = 0; ; turn++)
        {
            (_storedKey, var stored) = await stage.SelectAsync(context, key, found, context.RequestAborted);
            if (stored is not null && await TryAnswerAsync(stored))
                return;
            if (_isGone && turn < 3)
            {
                // Replaced or removed since it was found.
                _isGone = false;
                found = await stage.Store.FindAsync(key, context.RequestAborted);
                continue;
            }
            if (stored is { Head.RangeStart: not null })
                stored = null; // a part that does not answer is nothing to validate either
            if (stage.Coding is not null && (_directives.OnlyIfCached || HttpMethods.IsHead(context.Request.Method)))
            {
                await stage.PassAsync(context, CacheRefusal.Bypass);
                return;
            }
            if (_directives.OnlyIfCached)
            {
                // RFC 9111 §5.2.1.7
                context.Response.StatusCode = StatusCodes.Status504GatewayTimeout;
                stage.Delivery.Describe(context, CacheResult.Miss, "; detail=ONLY-IF-CACHED");
                return;
            }
            if (stored is null)
            {
                if (Services.TryGetUncacheable(key, out var refusal))
                {
                    await stage.PassAsync(context, refusal);
                    return;
                }
                _forward = found.Count > 0 ? CacheForward.VaryMiss : CacheForward.UriMiss;
            }
            if (HttpMethods.IsHead(context.Request.Method))
            {
                await stage.PassAsync(context, CacheRefusal.Bypass);
                return;
            }
            if (await TryFetchAsync(stored, isLastTurn: turn > 2))
                return;
            found = await stage.Store.FindAsync(key, context.RequestAborted);
        }
    }

    /// <summary>Answers with what is stored, if it may.</summary>
    private async ValueTask<bool> TryAnswerAsync(CachedResponse stored)
    {
        var age = CacheUses.Age(stored.Head, Services.Time.GetUtcNow());
        var use = CacheUses.Decide(stored.Head, age, _directives, stage.Config);
        if (use == CacheUse.Validate)
        {
            _forward = age < stored.Head.Freshness.Lifetime && !stored.Head.IsInvalid ? CacheForward.Request : CacheForward.Stale;
            return false;
        }
        return await TryDeliverAsync(stored, age, use == CacheUse.Fresh ? CacheResult.Hit : CacheResult.Stale, validates: use == CacheUse.StaleWhileRevalidate);
    }

    private async ValueTask<bool> TryDeliverAsync(CachedResponse stored, TimeSpan age, CacheResult result, bool validates = false)
    {
        if (!CacheDelivery.CanDeliver(context.Request, stored))
        {
            _forward = CacheForward.Partial;
            return false;
        }
        if (await stored.OpenAsync(context.RequestAborted) is not { } body)
        {
            _isGone = true;
            return false;
        }
        try
        {
            if (validates)
                await ValidateInBackgroundAsync(stored); // only now: it may replace what this request is answered with
        }
        catch
        {
            body.Dispose();
            throw;
        }
        await stage.Delivery.DeliverAsync(context, stored, body, age, result, coded);
        return true;
    }

    private async ValueTask ValidateInBackgroundAsync(CachedResponse stored)
    {
        if (Services.FindFlight(key) is not null)
            return;
        // Its own: the client's request ends before, and has its own to tell.
        var flight = new CacheFlight(stage, context, context.GetProxyContext()?.ForBackground(Services.Time.GetTimestamp()), key, new(_storedKey, stored), _directives) { FlightKey = key };
        if (!Services.TryAdd(flight))
            flight.Dispose();
        else if (await IsStillNeededAsync(flight, stored))
            flight.Start();
    }

    /// <summary>Asks the upstream, or waits for the answer to somebody who has. False when that is no good for this request: the store is to be looked at again.</summary>
    private async ValueTask<bool> TryFetchAsync(CachedResponse? stored, bool isLastTurn)
    {
        var isRange = context.Request.Headers.Range.Count > 0;
        var canShare = stage.Config.CollapseForwarding && !_isAlone && !isLastTurn && !isRange;
        if (canShare && Services.FindFlight(_variantKey ?? key) is { } other)
            return await TryFollowAsync(other, stored);

        var flight = new CacheFlight(stage, context, context.GetProxyContext(), key, new(_storedKey, stored), _directives) { FlightKey = canShare ? _variantKey ?? key : null };
        if (canShare && !Services.TryAdd(flight))
        {
            flight.Dispose();
            return false; // somebody was faster
        }
        if (canShare && !await IsStillNeededAsync(flight, stored))
            return false;
        flight.Join();
        var interim = InterimResponses.For(context);
        if (interim != InterimResponses.None && context.GetProxyContext() is { } proxy)
            proxy.Interim = interim; // the flight's too
        flight.Start();
        try
        {
            FlightAnswer answer;
            try
            {
                answer = await flight.Answer.WaitAsync(context.RequestAborted);
            }
            catch (OperationCanceledException)
            {
                _ = flight.DropFirstAsync();
                throw;
            }
            finally
            {
                interim.Close(context);
            }
            return await TryTakeAsync(answer, stored);
        }
        finally
        {
            flight.Leave();
        }
    }

    // Somebody else's may have ended between the look at the store and the start of this one, which is given up then.
    private async ValueTask<bool> IsStillNeededAsync(CacheFlight flight, CachedResponse? before)
    {
        var isNeeded = false;
        try
        {
            isNeeded = !await IsStoredByNowAsync(before);
        }
        finally
        {
            if (!isNeeded)
                flight.GiveUp();
        }
        return isNeeded;
    }

    private async ValueTask<bool> IsStoredByNowAsync(CachedResponse? before) =>
        (await stage.SelectAsync(context, key, await stage.Store.FindAsync(key, context.RequestAborted), context.RequestAborted)).Response is { Head.RangeStart: null } now && now.Head.ResponseTime != before?.Head.ResponseTime;

    private async ValueTask<bool> TryTakeAsync(FlightAnswer answer, CachedResponse? stored)
    {
        switch (answer.Result)
        {
            case FlightResult.Validated:
                return await TryDeliverAsync(answer.Updated!, CacheUses.Age(answer.Updated!.Head, Services.Time.GetUtcNow()), CacheResult.Revalidated);
            case FlightResult.Replaced:
                return false;
            case FlightResult.Failed when stored is not null && await TryAnswerStaleAsync(stored):
                return true;
            case FlightResult.Failed when answer.IsAborted:
                // As without a cache: the response had begun.
                Forwarder.Abort(context, context.GetProxyContext()?.Error ?? ProxyError.ResponseBodyDestination);
                return true;
            case FlightResult.Failed when answer.Exception is { } failure:
                ExceptionDispatchInfo.Throw(failure);
                return true;
            case FlightResult.Failed:
                _isAlone = true;
                return false;
            default:
                await using (answer.First!)
                    await stage.Delivery.DeliverAsync(context, answer, answer.First!, isFirst: true, _forward, coded);
                return true;
        }
    }

    private async ValueTask<bool> TryFollowAsync(CacheFlight flight, CachedResponse? stored)
    {
        flight.Join();
        try
        {
            FlightAnswer answer;
            try
            {
                answer = await flight.Answer.WaitAsync(stage.Config.CollapseTimeout, Services.Time, context.RequestAborted);
            }
            catch (TimeoutException)
            {
                _isAlone = true;
                return false;
            }
            // What has to be validated at each use may be stored, but answers nobody else: whoever asks may get another answer (RFC 9111 §4, §5.2.2.4).
            if (answer is { Result: FlightResult.Stored or FlightResult.Validated } && MustValidate((answer.Head ?? answer.Updated?.Head)!))
            {
                _isAlone = true;
                return false;
            }
            if ((answer.Head ?? answer.Updated?.Head) is { } head && stage.Policy.Fields(context).Refuses(head))
            {
                _isAlone = true;
                return false;
            }
            switch (answer.Result)
            {
                case FlightResult.Validated when answer.Refusal != CacheRefusal.None:
                    _isAlone = true; // the answer is for the one who asked first
                    return false;
                case FlightResult.Validated when CacheSelection.Matches(answer.Updated!.Head.Vary, stage.Policy.Fields(context)):
                    return await TryDeliverAsync(answer.Updated!, CacheUses.Age(answer.Updated!.Head, Services.Time.GetUtcNow()), CacheResult.Revalidated);
                case FlightResult.Stored when !CacheSelection.Matches(answer.Head!.Vary, stage.Policy.Fields(context)):
                    // With all who want the same variant.
                    _variantKey = $"{key}\n{string.Join('\n', CacheSelection.Vary(string.Join(',', answer.Head!.Vary.Select(v => v.Key)), stage.Policy.Fields(context)))}";
                    _forward = CacheForward.VaryMiss;
                    return false;
                case FlightResult.Stored when answer.Fill!.TryRead() is { } reader:
                    await using (reader)
                        await stage.Delivery.DeliverAsync(context, answer, reader, isFirst: false, _forward, coded);
                    return true;
                case FlightResult.Passed:
                    await stage.PassAsync(context, answer.Refusal);
                    return true;
                case FlightResult.Failed when stored is not null && await TryAnswerStaleAsync(stored):
                    return true;
                default:
                    _isAlone = answer.Result == FlightResult.Failed;
                    return false;
            }
        }
        finally
        {
            flight.Leave();
        }
    }

    private bool MustValidate(CachedResponseHead head) => CacheUses.Decide(head, CacheUses.Age(head, Services.Time.GetUtcNow()), _directives, stage.Config) == CacheUse.Validate;

    private async ValueTask<bool> TryAnswerStaleAsync(CachedResponse stored)
    {
        var age = CacheUses.Age(stored.Head, Services.Time.GetUtcNow());
        if (!CacheUses.MayServeOnError(stored.Head, age, _directives, stage.Config))
            return false;
        if (context.GetProxyContext() is { } proxy)
            proxy.Error = ProxyError.None; // the client is not to see any of it
        return await TryDeliverAsync(stored, age, CacheResult.Stale);
    }
}
