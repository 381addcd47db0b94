using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.ObjectPool;
using ProxyKit.Diagnostics;
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
    private readonly ResponseHeaders _responseHeaders;
    private readonly ErrorResponder _errors;
    private readonly ResponseDelivery _delivery;
    private readonly ForwarderServices _services;

    public Forwarder(RouteConfig route, ForwarderServices services)
    {
        _route = route;
        _services = services;
        _transforms = RouteTransforms.Compile(route.Transforms);
        _preparer = new(route, _transforms, services.Options, services.TrustedPeers);
        _responseHeaders = new(_transforms, services.Options);
        _errors = new(route, _transforms, services);
        _delivery = new(_transforms, _responseHeaders, route.ProxyStatus ? _errors : null);
    }

    public RouteConfig Route => _route;

    public async Task ForwardAsync(HttpContext context, ProxyContext proxy)
    {
        var prepared = s_prepared.Get();
        var clock = _services.Clocks.Rent();
        var phase = Phase.Prepare;
        UpstreamResponse? response = null;
        Destination? destination = null;
        System.Diagnostics.Activity? activity = null;
        try
        {
            clock.Start(proxy.Cluster.Timeouts, _route.Timeout, proxy.StartTimestamp, context.RequestAborted);

            if (_preparer.Prepare(context, prepared) is { } rejection)
            {
                proxy.Error = rejection.Error;
                proxy.FailureClass = FailureClass.Client;
                _services.Log.Rejected(rejection, proxy, context);
                await _errors.RejectAsync(context, proxy, rejection);
                return;
            }
            proxy.Model.Affinity?.Begin(context, proxy, prepared);
            if ((proxy.Model.Affinity is { } affinity ? affinity.Pick(context, proxy) : proxy.Balancer.Pick(context, proxy)) is not { } picked)
            {
                proxy.Error = ProxyError.NoAvailableDestinations;
                proxy.FailureClass = FailureClass.NothingSent;
                _services.Log.Failed(proxy, context, null);
                await _errors.RespondAsync(context, proxy, StatusCodes.Status503ServiceUnavailable);
                return;
            }

            proxy.Destination = destination = picked;
            proxy.Attempts++;
            destination.BeginRequest();
            activity = _services.Tracing.Start(context, proxy, prepared);
            prepared.Body = RequestBody(context, proxy, prepared, clock);

            phase = Phase.Send;
            if (CanSendDirectly(proxy, prepared))
                response = await proxy.Transport.SendHttp1Async(prepared, destination, clock.Token);
            else if (await SendMessageAsync(context, proxy, prepared, destination, clock) is { } answer)
                response = new HttpClientResponse(answer);
            else
                return; // a request delegate has answered
            var received = _services.Clocks.Time.GetTimestamp();
            proxy.TimeToFirstByte = _services.Clocks.Time.GetElapsedTime(proxy.StartTimestamp, received);
            clock.HeadersReceived(received);

            phase = Phase.Headers;
            if (ResponseHeaders.Check(response, prepared.Upgrade is not null) is { } problem)
                throw new HttpRequestException(HttpRequestError.InvalidResponse, $"The destination's response has {problem}.");

            if (prepared.Upgrade is not null && Upgrades.IsAccepted(response.Message!))
                await Upgrades.TunnelAsync(context, proxy, response, _responseHeaders, _transforms, clock, _services);
            else
                await _delivery.DeliverAsync(context, proxy, prepared, response, clock);
        }
        catch (PhaseException e)
        {
            await FailAsync(context, proxy, prepared, clock, e.Phase, e.InnerException!, response);
        }
        catch (Exception e)
        {
            await FailAsync(context, proxy, prepared, clock, phase, e, response);
        }
        finally
        {
            response?.Dispose();
            await FinishRequestBodyAsync(prepared.Body, clock);
            destination?.EndRequest();
            ProxyTracing.Stop(activity, context, proxy);
            _services.Clocks.Release(clock);
            s_prepared.Return(prepared);
        }
    }

    // Our own HTTP/1.1 transport, where that is what is asked for and nobody's delegate wants HttpClient's messages.
    private bool CanSendDirectly(ProxyContext proxy, PreparedRequest prepared) =>
        prepared.Upgrade is null && !_transforms.HasDelegates && proxy.Transport.CanSendHttp1(proxy.Destination!, prepared.IsGrpc);

    private async Task<HttpResponseMessage?> SendMessageAsync(HttpContext context, ProxyContext proxy, PreparedRequest prepared, Destination destination, ExchangeClock clock)
    {
        HttpRequestMessage message;
        try
        {
            message = proxy.Transport.CreateMessage(prepared, destination);
            foreach (var run in _transforms.RequestDelegates)
            {
                await run(new(context, message, destination, clock.Token));
                if (context.Response.HasStarted || context.Response.StatusCode != StatusCodes.Status200OK)
                    return null;
            }
            if (_transforms.RequestDelegates.Length > 0)
                clock.Touch(); // the time that the app's own code takes is not the upstream's
            if (prepared.Body is not null && !ReferenceEquals(message.Content, prepared.Body))
                throw new InvalidOperationException("A request transform must not replace the request's content; replace HttpContext.Request.Body instead.");
        }
        catch (Exception e)
        {
            throw new PhaseException(Phase.Prepare, e);
        }
        return prepared.Upgrade is null
            ? await proxy.Transport.SendAsync(message, clock.Token)
            : await Upgrades.SendAsync(proxy.Transport, message, context, prepared, destination, clock.Token);
    }

    private static RequestBodyContent? RequestBody(HttpContext context, ProxyContext proxy, PreparedRequest prepared, ExchangeClock clock)
    {
        var features = context.Features;
        // False for a bodiless GET; true whenever there may be a body, whatever the method.
        if (prepared.Upgrade is not null
            || (features.Get<IHttpRequestBodyDetectionFeature>() is { } detection ? !detection.CanHaveBody : context.Request is { ContentLength: null or 0, Headers.TransferEncoding.Count: 0 }))
            return null;

        if (prepared.IsGrpc)
        {
            // Streams that may stay silent for long, and have no end.
            if (features.Get<Microsoft.AspNetCore.Server.Kestrel.Core.Features.IHttpMinRequestBodyDataRateFeature>() is { } rate)
                rate.MinDataRate = null;
            if (features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
                size.MaxRequestBodySize = null;
        }
        return new(context, proxy, clock, context.Request.ContentLength, flushEachWrite: prepared.IsGrpc);
    }

    private async Task FailAsync(HttpContext context, ProxyContext proxy, PreparedRequest prepared, ExchangeClock clock, Phase phase, Exception exception, UpstreamResponse? response)
    {
        var failure = Failure.Of(exception, phase, prepared.Body, clock.Reason, context);
        proxy.Error = failure.Error;
        proxy.Exception = exception;
        // What has been written to the client's pipe, flushed or not, cannot be taken back: it would stand in front of an error page.
        var started = context.Response.HasStarted || proxy.ResponseBodyBytes > 0;
        proxy.FailureClass = started ? FailureClass.ResponseStarted : failure.Class;
        _services.Log.Failed(proxy, context, exception);
        response?.Dispose(); // the upstream is free before the client has taken the answer

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
        // HTTP/2 and 3 lose one stream only; HTTP/1.1 has nothing but the connection. Never a clean end.
        if (context.Features.Get<IHttpResetFeature>() is { } reset)
            reset.Reset(failure.Error == ProxyError.ClientAborted ? 8 /* CANCEL */ : 2 /* INTERNAL_ERROR */);
        else
            context.Abort();
    }

    // The request's pipe must not be read once the server has it back.
    private static async ValueTask FinishRequestBodyAsync(RequestBodyContent? body, ExchangeClock clock)
    {
        if (body is not { Completion.IsCompleted: false })
            return;
        clock.CancelExchange();
        await body.Completion!.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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

/// <summary>Where a request was when it failed.</summary>
internal enum Phase
{
    Prepare,
    Send,
    Headers,
    ResponseTransforms,
    Body,
    Tunnel,
}

/// <summary>Carries the phase out of a nested method.</summary>
internal sealed class PhaseException(Phase phase, Exception inner) : Exception(inner.Message, inner)
{
    public Phase Phase { get; } = phase;
}
