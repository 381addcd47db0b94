using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Diagnostics;
using ProxyKit.FastCgi;
using ProxyKit.Forwarding;
using ProxyKit.Pipeline;
using ProxyKit.Transforms;

namespace ProxyKit.Mirroring;

/// <summary>
/// The mirror stage: makes a copy of the request while there is an HttpContext, and hands it to the <see cref="MirrorSender"/> as soon as its body has passed. Whatever
/// goes wrong here, the client's request goes on.
/// </summary>
internal sealed class Mirror(RequestDelegate next, RouteConfig route, MirrorConfig config, Cluster shadow, ForwarderServices services)
{
    private readonly RequestPreparer _preparer = new(route, RouteTransforms.Compile(route.Transforms), services.Options, services.TrustedPeers);
    private readonly CgiSite _site = new(route, services);
    private readonly MirrorSender _sender = new(route, config, shadow, services);

    public Task InvokeAsync(HttpContext context)
    {
        if (!IsDrawn() || IsAnsweredByShadow(context))
            return next(context);
        var mayHaveBody = Forwarder.MayHaveBody(context);
        if (mayHaveBody && context.Request.ContentLength > config.MaxBodySize)
            _sender.Drop(MirrorDrop.BodyTooLarge);
        else if (_sender.IsFull)
            _sender.Drop(MirrorDrop.TooMany);
        else if (Prepare(context) is { } copy)
        {
            if (mayHaveBody)
                return RecordAsync(context, copy);
            _sender.Send(context, copy, null);
        }
        return next(context);
    }

    private bool IsDrawn() => config.Percentage >= 100 || Random.Shared.NextDouble() * 100 < config.Percentage;

    // A split may give the shadow a share of the requests: it gets none of them twice.
    private bool IsAnsweredByShadow(HttpContext context) => context.GetProxyContext()!.Owner == shadow;

    /// <summary>Null if there is nothing to mirror: what is refused is not forwarded either, and an upgraded connection is no request.</summary>
    private PreparedRequest? Prepare(HttpContext context)
    {
        try
        {
            var copy = new PreparedRequest { Encoding = HeaderText.For(shadow.Model!.Config.HttpClient.RequestHeaderEncoding) };
            if (_preparer.Prepare(context, copy) is not null || copy.Upgrade is not null || (shadow.Model.IsFastCgi && _site.Prepare(context, copy) is not null))
                return null;
            ProxyTracing.Inject(Activity.Current, copy.Headers);
            copy.Headers.Remove("Expect"); // the client has been told already
            if (config.Header is { } header)
                copy.Headers.Set(header, "1");
            return copy;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _sender.NotPrepared(e);
            return null;
        }
    }

    private async Task RecordAsync(HttpContext context, PreparedRequest copy)
    {
        _ = context.Request.BodyReader; // where the server has no such feature, this makes it
        var original = context.Features.GetRequiredFeature<IRequestBodyPipeFeature>();
        var recorder = new BodyRecorder(context.Request, original, config.MaxBodySize, body => _sender.Send(context, copy, body));
        context.Features.Set<IRequestBodyPipeFeature>(recorder);
        try
        {
            await next(context);
        }
        finally
        {
            context.Features.Set(original);
            if (!recorder.IsWhole)
                _sender.Drop(recorder.IsTooLarge ? MirrorDrop.BodyTooLarge : MirrorDrop.BodyIncomplete);
        }
    }
}
