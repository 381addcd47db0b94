using System.Net;
using Microsoft.AspNetCore.Http.Features;

namespace ProxyKit.Benchmarks.Targets;

/// <summary>
/// The least that can be called a proxy: headers over, body over, headers back, body back, on <see cref="HttpMessageInvoker"/>.
/// It has no error handling and no features: a floor for what a forwarder on SocketsHttpHandler can cost.
/// </summary>
internal static class MinimalTarget
{
    public static WebApplication Build(WebApplicationBuilder builder, string backend)
    {
        var app = builder.Build();
        var destination = new Uri(backend);
        var client = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
        });
        app.Run(context => ForwardAsync(context, client, destination));
        return app;
    }

    private static async Task ForwardAsync(HttpContext context, HttpMessageInvoker client, Uri destination)
    {
        var upgrade = context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true } feature ? feature : null;
        using var response = await client.SendAsync(CreateRequest(context, destination, upgrade is not null), context.RequestAborted);
        context.Response.StatusCode = (int)response.StatusCode;
        foreach (var (name, values) in response.Headers.NonValidated)
            if (upgrade is not null || !IsHopByHop(name))
                context.Response.Headers[name] = values.ToString();
        foreach (var (name, values) in response.Content.Headers.NonValidated)
            context.Response.Headers[name] = values.ToString();

        if (response.StatusCode == HttpStatusCode.SwitchingProtocols)
        {
            using var clientSide = await upgrade!.UpgradeAsync();
            using var upstreamSide = await response.Content.ReadAsStreamAsync();
            await Task.WhenAny(clientSide.CopyToAsync(upstreamSide), upstreamSide.CopyToAsync(clientSide));
            return;
        }
        await response.Content.CopyToAsync(context.Response.Body);
    }

    private static HttpRequestMessage CreateRequest(HttpContext context, Uri destination, bool upgrades)
    {
        var request = new HttpRequestMessage(
            new HttpMethod(context.Request.Method),
            new Uri(destination, context.Request.Path.Value + context.Request.QueryString.Value));
        if (context.Features.Get<IHttpRequestBodyDetectionFeature>()!.CanHaveBody)
            request.Content = new StreamContent(context.Request.Body);
        foreach (var (name, values) in context.Request.Headers)
        {
            if (name is "Host" || (!upgrades && IsHopByHop(name)))
                continue;
            if (!request.Headers.TryAddWithoutValidation(name, values.ToString()))
                request.Content?.Headers.TryAddWithoutValidation(name, values.ToString());
        }
        return request;
    }

    private static bool IsHopByHop(string name) => name is "Connection" or "Keep-Alive" or "Transfer-Encoding" or "Upgrade";
}
