using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.Extensions.ObjectPool;
using ProxyKit.Compression;
using ProxyKit.FastCgi;
using ProxyKit.InternalRedirects;
using ProxyKit.LoadBalancing;
using ProxyKit.Pipeline;
using ProxyKit.Resilience;
using ProxyKit.Transforms;

namespace ProxyKit.Forwarding;

/// <summary>
/// The last stage: prepare, exchange, deliver. What fails before the response has started becomes a status; what fails after it becomes an abort, so that
/// no client takes half a response for a whole one.
/// </summary>
internal sealed class Forwarder
{
    private static readonly ObjectPool<PreparedRequest> s_prepared = new DefaultObjectPool<PreparedRequest>(new PreparedPolicy(), maximumRetained: 1024);

    private readonly RouteConfig _route;
    private readonly RouteTransforms _transforms;
    private readonly RequestPreparer _preparer;
    private readonly CgiSite _site;
    private readonly ResponseHeaders _responseHeaders;
    private readonly ErrorResponder _errors;
    private readonly ResponseDelivery _delivery;
    private readonly ErrorInterception? _interception;
    private readonly FileDelivery? _files;
    private readonly ForwarderServices _services;

    public Forwarder(RouteConfig route, ForwarderServices services)
    {
        _route = route;
        _services = services;
        _transforms = RouteTransforms.Compile(route.Transforms);
        _preparer = new(route, _transforms, services.Options, services.TrustedPeers);
        UpstreamFields = new(_preparer, _transforms, services.Options, services.TrustedPeers);
        _site = new(route, services);
        _responseHeaders = new(route, _transforms, services.Options, services.Log);
        _errors = new(route, _transforms, services);
        _delivery = new(_transforms, _responseHeaders, route.ProxyStatus ? _errors : null, services.Log, services.Clocks.Time);
        _interception = ErrorInterception.Create(route, _errors);
        _files = FileDelivery.Create(route, _delivery, _errors, services);
    }

    public RouteConfig Route => _route;

    /// <summary>What the upstream is sent for a request.</summary>
    public UpstreamFields UpstreamFields { get; }

    public async Task ForwardAsync(HttpContext context, ProxyContext proxy)
    {
        var prepared = s_prepared.Get();
        var clock = _services.Clocks.Rent();
        var attempt = new Attempt(proxy, prepared, clock);
        AttemptSeries? series = null;
        try
        {
            var resilience = proxy.Resilience;
            // The time that a client takes for its body is not the upstream's.
            var now = proxy.BufferedBody is null ? proxy.StartTimestamp : _services.Clocks.Time.GetTimestamp();
            clock.Start(resilience?.RequestLimits ?? proxy.Cluster.Timeouts, _route.Timeout, proxy.StartTimestamp, now, context.RequestAborted);

            if ((_preparer.Prepare(context, prepared) ?? (proxy.Model.IsFastCgi ? _site.Prepare(context, prepared) : null)) is { } rejection)
            {
                proxy.Error = rejection.Error;
                proxy.FailureClass = FailureClass.Client;
                _services.Log.Rejected(rejection, proxy, context);
                await _errors.RejectAsync(context, proxy, rejection);
                return;
            }
            if (proxy.BufferedBody is not null)
                prepared.Headers.Remove("Expect"); // the client has been told already
            proxy.Model.Affinity?.Begin(context, proxy, prepared);

            if (resilience is null)
            {
                Begin(attempt, await ConcurrencySlots.AcquireAsync(context, proxy, clock), context, proxy, replay: null);
                try
                {
                    attempt.Response = await SendAsync(attempt, context, proxy);
                }
                catch (Exception e) when (proxy.Model.FailsOver)
                {
                    Fail(attempt, e, context, proxy);
                    if (await FailOverAsync(attempt, context, proxy) is not { } second)
                        throw;
                    attempt = second;
                    attempt.Response = await SendAsync(attempt, context, proxy);
                }
                proxy.EndInterim(context);
                if (attempt.Response is null)
                    return; // a request delegate has answered
                Received(attempt, proxy);
            }
            else
            {
                series = new(this, resilience, context, proxy, prepared, clock, _services);
                attempt = await series.RunAsync();
                proxy.IsDecided = true;
                proxy.EndInterim(context);
                if (attempt.Exception is { } failure)
                {
                    await AnswerAsync(context, proxy, attempt, failure);
                    return;
                }
                if (attempt.Response is null)
                    return;
                proxy.Destination = attempt.Destination; // the winner of several
            }

            if (proxy.RecordsSentFields)
                proxy.SentFields = SentFields.Of(attempt);
            ReleaseBody(attempt, series, proxy);
            attempt.Phase = Phase.Headers;
            if (prepared.Upgrade is not null && Upgrades.IsAccepted(attempt.Response.Message!))
                await Upgrades.TunnelAsync(context, proxy, attempt.Response, _responseHeaders, _transforms, attempt.Clock, _services);
            else
                await (_interception?.TryAnswer(context, proxy, attempt) ?? _files?.TryAnswer(context, proxy, attempt) ?? _delivery.DeliverAsync(context, proxy, attempt));
        }
        catch (Exception e)
        {
            Fail(attempt, e, context, proxy);
            await AnswerAsync(context, proxy, attempt, attempt.Exception!);
        }
        finally
        {
            await attempt.EndAsync();
            if (series is not null)
                await series.EndAsync();
            _services.Clocks.Release(clock);
            s_prepared.Return(prepared);
        }
    }

    /// <summary>One further attempt, ready to be sent to another destination, where nothing was sent to the first; null where there is none.</summary>
    private async ValueTask<Attempt?> FailOverAsync(Attempt failed, HttpContext context, ProxyContext proxy)
    {
        if (failed.Failure is not { Class: FailureClass.NothingSent, IsOfDestination: true } || failed.IsExcused || failed.Body is { Started: true } || failed.Clock.Token.IsCancellationRequested)
            return null;
        proxy.AddAttempted(failed.Destination!);
        proxy.RefreshBalancer();
        if (!proxy.HasUntried || ConcurrencySlots.TryAcquire(context, proxy) is not { } destination)
            return null;
        proxy.Owner.Services.Resilience.Retrying(failed, proxy);
        await failed.EndAsync();
        failed.Clock.LeaveQueue(); // FirstByte begins to count for the next destination
        var attempt = new Attempt(proxy, failed.Request, failed.Clock);
        Begin(attempt, destination, context, proxy, replay: null);
        return attempt;
    }

    /// <summary>Takes the destination, and makes the request's body and trace context ready for it.</summary>
    public void Begin(Attempt attempt, Destination destination, HttpContext context, ProxyContext proxy, ReplayBuffer? replay)
    {
        if (attempt.Request.WebDav.Count > 0)
            WebDavAddresses.Address(attempt.Request, destination);
        attempt.Begin(destination, proxy.Model.Observers.Length > 0 ? _services.Clocks.Time.GetTimestamp() : 0);
        attempt.Activity = _services.Tracing.Start(proxy, destination, attempt.Request);
        attempt.Request.Body = attempt.Body = RequestBody(context, proxy, attempt, replay);
        attempt.Phase = Phase.Send;
    }

    /// <summary>The answer's header section; null when a request delegate has answered.</summary>
    public ValueTask<UpstreamResponse?> SendAsync(Attempt attempt, HttpContext context, ProxyContext proxy) =>
        CanSendDirectly(attempt, proxy)
            ? proxy.Transport.SendDirectlyAsync(attempt.Request, attempt.Destination!, new(context, proxy, _responseHeaders), attempt.Clock.Token)
            : new(SendMessageAsync(attempt, context, proxy));

    /// <summary>Takes note of an answer, and looks whether it is one.</summary>
    public void Received(Attempt attempt, ProxyContext proxy)
    {
        var time = _services.Clocks.Time;
        var received = time.GetTimestamp();
        proxy.TimeToFirstByte = time.GetElapsedTime(proxy.StartTimestamp, received);
        attempt.Clock.HeadersReceived(received);
        attempt.Phase = Phase.Headers;
        attempt.StatusCode = attempt.Response!.StatusCode;
        if (ResponseHeaders.Check(attempt.Response, attempt.Request.Upgrade is not null) is { } problem)
            throw new HttpRequestException(HttpRequestError.InvalidResponse, $"The destination's response has {problem}.");
        if (proxy.Model.Observers.Length > 0)
            Observe(attempt, proxy, received);
    }

    /// <summary>Finds out what an exception means, and tells who wants to know.</summary>
    public void Fail(Attempt attempt, Exception exception, HttpContext context, ProxyContext proxy)
    {
        if (exception is PhaseException { InnerException: { } inner } nested)
        {
            attempt.Phase = nested.Phase;
            exception = inner;
        }
        attempt.Exception = exception;
        attempt.Failure = Failure.Of(exception, attempt.Phase, attempt.Body, attempt.Clock.Reason, context);
        // The transport tells only that the request was cut short.
        if (attempt.Failure.Error == ProxyError.RequestBodyClient && attempt.Body?.ClientError is { } cause)
            attempt.Exception = cause;
        if (proxy.Model.Observers.Length > 0 && attempt.Destination is not null)
            Observe(attempt, proxy, _services.Clocks.Time.GetTimestamp());
    }

    private void Observe(Attempt attempt, ProxyContext proxy, long now)
    {
        var (failure, isFirst) = (attempt.Failure, !attempt.IsObserved);
        attempt.IsObserved = true;
        var outcome = new AttemptOutcome(attempt.Exception is null ? attempt.StatusCode : 0, failure.Error,
            attempt.IsExcused ? FailureClass.Client : failure.Class, _services.Clocks.Time.GetElapsedTime(attempt.StartTimestamp, now));
        foreach (var observer in proxy.Model.Observers)
        {
            if (isFirst)
                observer.Answered(attempt.Destination!, outcome);
            else if (failure.Error == ProxyError.ResponseBodyDestination)
                observer.BrokeOff(attempt.Destination!, failure.Error);
        }
    }

    // Our own transports, where theirs is what is asked for and nobody's delegate wants HttpClient's messages.
    private bool CanSendDirectly(Attempt attempt, ProxyContext proxy) =>
        attempt.Request.Upgrade is null && !_transforms.HasDelegates && proxy.Resilience is not { NeedsMessages: true }
        && proxy.Transport.CanSendDirectly(attempt.Destination!, attempt.Request.IsGrpc);

    /// <summary>False for a bodiless GET; true whenever there may be a body, whatever the method.</summary>
    public static bool MayHaveBody(HttpContext context) =>
        context.Features.Get<IHttpRequestBodyDetectionFeature>() is { } detection
            ? detection.CanHaveBody
            : context.Request is not { ContentLength: null or 0, Headers.TransferEncoding.Count: 0 };

    private async Task<UpstreamResponse?> SendMessageAsync(Attempt attempt, HttpContext context, ProxyContext proxy)
    {
        var (prepared, destination, clock) = (attempt.Request, attempt.Destination!, attempt.Clock);
        HttpRequestMessage message;
        try
        {
            message = attempt.Message = proxy.Transport.CreateMessage(prepared, destination);
            var (uri, method, host) = (message.RequestUri, message.Method, message.Headers.Host);
            foreach (var run in _transforms.RequestDelegates)
            {
                await run(new(context, message, destination, clock.Token));
                if (context.Response.HasStarted || context.Response.StatusCode != StatusCodes.Status200OK)
                {
                    // Or a half-open circuit would wait for a request that never comes.
                    attempt.Failure = new(ProxyError.RequestCreation, FailureClass.NothingSent, 0);
                    Observe(attempt, proxy, _services.Clocks.Time.GetTimestamp());
                    return null;
                }
            }
            attempt.IsRetargeted = message.RequestUri != uri || message.Method != method || message.Headers.Host != host;
            if (_transforms.RequestDelegates.Length > 0)
                clock.Touch(); // the time that the app's own code takes is not the upstream's
            if (_transforms.RequestDelegates.Length > 0)
                CheckMessage(message, prepared);
        }
        catch (Exception e)
        {
            throw new PhaseException(Phase.Prepare, e);
        }
        return new HttpClientResponse(prepared.Upgrade is null
            ? await proxy.Transport.SendAsync(message, clock.Token)
            : await Upgrades.SendAsync(proxy.Transport, message, context, prepared, destination, clock.Token));
    }

    // What a delegate may not do: on the wire it would make another request of it.
    private static void CheckMessage(HttpRequestMessage message, PreparedRequest prepared)
    {
        if (prepared.Body is not null && !ReferenceEquals(message.Content, prepared.Body))
            throw new InvalidOperationException("A request transform must not replace the request's content; replace HttpContext.Request.Body instead.");
        if (message.Headers.NonValidated.Contains("Transfer-Encoding")
            || (message.Content?.Headers.NonValidated.TryGetValues("Content-Length", out var length) == true && long.TryParse(length.ToString(), out var announced) && announced != (prepared.Body is { } body ? body.Length : 0)))
            throw new InvalidOperationException("A request transform must not set Content-Length or Transfer-Encoding; they follow from the body.");
        if (message.Headers.NonValidated.TryGetValues("Host", out var host) && !Configuration.ClusterValidator.IsHost(host.ToString()))
            throw new InvalidOperationException("A request transform has set a Host that is not a host name.");
        foreach (var (name, values) in message.Headers.NonValidated)
        {
            foreach (var value in values)
            {
                if (!HeaderText.IsWire(value))
                    throw new InvalidOperationException($"A request transform has set the header {name} to a value beyond latin-1; encode it, e.g. as UTF-8 bytes in latin-1 characters.");
            }
        }
    }

    private static RequestBodyContent? RequestBody(HttpContext context, ProxyContext proxy, Attempt attempt, ReplayBuffer? replay)
    {
        if (attempt.Request.Upgrade is not null || !MayHaveBody(context))
            return null;

        if (attempt.Request.IsGrpc)
        {
            var features = context.Features;
            // Streams that may stay silent for long, and have no end.
            if (features.Get<Microsoft.AspNetCore.Server.Kestrel.Core.Features.IHttpMinRequestBodyDataRateFeature>() is { } rate)
                rate.MinDataRate = null;
            if (features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
                size.MaxRequestBodySize = null;
        }
        return new(context, proxy, attempt.Clock, context.Request.ContentLength, replay, flushEachWrite: attempt.Request.IsGrpc);
    }

    // The answer may take long to deliver; what was sent is not needed again, unless somebody's delegate wants to read it.
    private void ReleaseBody(Attempt attempt, AttemptSeries? series, ProxyContext proxy)
    {
        if (attempt.Body is { IsBuffered: true, Completion.IsCompletedSuccessfully: true } && series is null or { IsHedged: false } && _transforms.ResponseDelegates.Length == 0)
            proxy.BufferedBody?.Dispose();
    }

    private async Task AnswerAsync(HttpContext context, ProxyContext proxy, Attempt attempt, Exception exception)
    {
        proxy.EndInterim(context);
        var failure = attempt.Failure;
        proxy.Error = failure.Error;
        proxy.Exception = exception is NoDestinationException ? null : exception;
        // What has been written to the client's pipe, flushed or not, cannot be taken back: it would stand in front of an error page.
        var started = context.Response.HasStarted || (proxy.ResponseBodyBytes > 0 && !DecodedBody.TryTakeBack(context));
        proxy.FailureClass = started ? FailureClass.ResponseStarted : failure.Class;
        _services.Log.Failed(proxy, context, proxy.Exception);
        attempt.Response?.Dispose(); // the upstream is free before the client has taken the answer

        if (!started)
        {
            // The policy has a status and a body of its own; its middleware waits for this.
            if (Failure.IsRequestTimeout(context))
            {
                context.Response.StatusCode = failure.Status;
                throw new OperationCanceledException(context.RequestAborted);
            }
            await _errors.RespondAsync(context, proxy, failure.Status);
            return;
        }
        Abort(context, failure.Error);
    }

    /// <summary>Ends a response that has started. HTTP/2 and 3 lose one stream only; HTTP/1.1 has nothing but the connection. Never a clean end.</summary>
    public static void Abort(HttpContext context, ProxyError error)
    {
        // Nor does a cache that is around the proxy take it for a whole one.
        if (context.Features.Get<IOutputCacheFeature>() is { } cache)
            cache.Context.AllowCacheStorage = false;
        if (context.Features.Get<IHttpResetFeature>() is { } reset)
            reset.Reset(error == ProxyError.ClientAborted ? 8 /* CANCEL */ : 2 /* INTERNAL_ERROR */);
        else
            context.Abort();
    }

    private sealed class PreparedPolicy : PooledObjectPolicy<PreparedRequest>
    {
        public override PreparedRequest Create() => new();

        public override bool Return(PreparedRequest obj)
        {
            obj.Clear();
            return true;
        }
    }
}
