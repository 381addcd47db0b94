using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.FastCgi;
using ProxyKit.Forwarding;
using ProxyKit.Transforms;

namespace ProxyKit.Buffering;

/// <summary>The stage that takes the whole body off the client before anything of the upstream is occupied.</summary>
internal sealed class RequestBuffering(RequestDelegate next, RouteConfig route, RequestBufferingConfig config, bool unknownLengthsOnly, ForwarderServices services)
{
    private readonly ErrorResponder _errors = new(route, RouteTransforms.Compile(route.Transforms), services);
    private readonly string _tooSlow = string.Create(CultureInfo.InvariantCulture,
        $"The client sent nothing for {config.IdleTimeout}, or less than {config.MinDataRate} bytes a second, or was not done within the time for the whole request.");

    public Task InvokeAsync(HttpContext context)
    {
        var proxy = context.GetProxyContext()!;
        return NeedsBuffering(context, proxy) ? BufferAsync(context, proxy) : next(context);
    }

    private bool NeedsBuffering(HttpContext context, ProxyContext proxy)
    {
        if (!Forwarder.MayHaveBody(context) || (unknownLengthsOnly && context.Request.ContentLength is not null))
            return false;
        // Neither has an end to wait for. FastCGI has no streams, whatever the client calls them.
        if (!proxy.Model.IsFastCgi && RequestPreparer.IsGrpc(context.Request))
            return false;
        if (RequestPreparer.RequestedUpgrade(context, route) is not null)
            return false;
        // What will be refused needs no body; the forwarder says so.
        return RequestGuard.Check(context, context.Features.Get<IHttpRequestFeature>()!.RawTarget, route, services.Options) is null;
    }

    private async Task BufferAsync(HttpContext context, ProxyContext proxy)
    {
        var client = Client(context);
        using var body = new BufferedRequestBody(services.Buffering, config.MemoryThreshold, context.Request.ContentLength, client);
        if (!await TryReadAsync(context, proxy, body, client))
            return;

        var original = context.Request.Body;
        context.Request.Body = body.Stream;
        proxy.BufferedBody = body;
        try
        {
            await next(context);
        }
        finally
        {
            proxy.BufferedBody = null;
            context.Request.Body = original;
        }
    }

    /// <summary>False if the body could not be had, and the client has been told.</summary>
    private async Task<bool> TryReadAsync(HttpContext context, ProxyContext proxy, BufferedRequestBody body, IPAddress? client)
    {
        var clock = services.Clocks.Rent();
        try
        {
            clock.StartUpload(config, route.Timeout ?? proxy.Cluster.Timeouts.Total, proxy.StartTimestamp, context.RequestAborted);
            if (context.Request.ContentLength is { } length)
                CheckRoom(length, client);
            await ReadAsync(context.Request, body, client, clock);
            return true;
        }
        catch (Exception e)
        {
            if (e is OperationCanceledException && clock.Reason is ProxyError.RequestBodyClient or ProxyError.TotalTimeout)
                e = new BadHttpRequestException(_tooSlow, StatusCodes.Status408RequestTimeout, e);
            await AnswerAsync(context, proxy, e, Failure.OfUpload(e, clock.Reason, context));
            return false;
        }
        finally
        {
            services.Clocks.Release(clock);
        }
    }

    // Looks, but takes nothing yet: who only announces a long body must not keep the room from others.
    private void CheckRoom(long length, IPAddress? client)
    {
        var budget = services.Buffering.Budget;
        if (!CouldFit(length, client))
            throw TooLarge();
        if (length > config.MemoryThreshold && length > budget.MaxDiskOf(client) - budget.DiskInUseBy(client))
            throw new BufferException($"Of the client's share of the disk space for buffered bodies ({budget.MaxDiskOf(client)} bytes, MaxClientShare) {budget.DiskInUseBy(client)} are taken; there is no room for {length}.");
        if (length > budget.MaxDisk - budget.DiskInUse && (length > config.MemoryThreshold || length > budget.MaxMemory - budget.MemoryInUse))
            throw new BufferException($"Of the disk space for buffered bodies ({budget.MaxDisk} bytes) {budget.DiskInUse} are taken; there is no room for {length}.");
    }

    private IPAddress? Client(HttpContext context) =>
        services.TrustedPeers.Contains(context.Connection) ? ForwardedClient.Read(context.Request.Headers, services.TrustedPeers).Address?.Address : context.Connection.RemoteIpAddress;

    private bool CouldFit(long length, IPAddress? client) =>
        length <= services.Buffering.Budget.MaxDiskOf(client) || length <= Math.Min(config.MemoryThreshold, services.Buffering.Budget.MaxMemory);

    private static BadHttpRequestException TooLarge() =>
        new("The request's body is larger than all the room for buffered bodies.", StatusCodes.Status413PayloadTooLarge);

    private async ValueTask ReadAsync(HttpRequest request, BufferedRequestBody body, IPAddress? client, ExchangeClock clock)
    {
        var reader = request.BodyReader;
        // A read that is cancelled by its token leaves Kestrel's reader busy.
        using var registration = clock.Token.UnsafeRegister(static reader => ((PipeReader)reader!).CancelPendingRead(), reader);
        while (true)
        {
            var result = await reader.ReadAsync(CancellationToken.None);
            var length = body.Length + result.Buffer.Length;
            clock.Uploaded(length);
            try
            {
                clock.Token.ThrowIfCancellationRequested();
                // A middleware may have put another body in the client's place.
                if (length > request.ContentLength || (result.IsCompleted && length < request.ContentLength))
                    throw new BadHttpRequestException("The request's body is not as long as its Content-Length says.");
                if (result.IsCanceled)
                    throw new OperationCanceledException();
                if (!CouldFit(length, client))
                    throw TooLarge();
                await body.WriteAsync(result.Buffer, clock.Token);
                clock.Touch(); // the time that the disk takes is not the client's
            }
            finally
            {
                reader.AdvanceTo(result.Buffer.End);
            }
            if (result.IsCompleted)
                return;
        }
    }

    private Task AnswerAsync(HttpContext context, ProxyContext proxy, Exception exception, Failure failure)
    {
        proxy.Error = failure.Error;
        proxy.FailureClass = failure.Class;
        proxy.Exception = exception;
        services.Log.Failed(proxy, context, exception);
        if (failure.Error == ProxyError.BufferFull)
            services.Buffering.Metrics.Refused(route.RouteId);
        // The policy has a status and a body of its own; its middleware waits for this.
        if (Failure.IsRequestTimeout(context))
        {
            context.Response.StatusCode = failure.Status;
            throw new OperationCanceledException(context.RequestAborted);
        }
        return _errors.RespondAsync(context, proxy, failure.Status);
    }
}
