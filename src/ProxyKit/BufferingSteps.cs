using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that keep slow clients away from the upstream.</summary>
public static class ProxyBufferingSteps
{
    /// <summary>Takes requests off the client whole before the upstream is asked, and responses off the upstream at its own speed. See <see cref="BufferingConfig"/>.</summary>
    public static ProxyRouteBuilder WithBuffering(this ProxyRouteBuilder builder) => builder.WithBuffering(static _ => { });

    /// <summary>
    /// Buffers requests and responses, with settings. Calls go on with what is there. <c>b.Request.Enabled = false</c> and <c>b.Response.Enabled = false</c> switch off
    /// what a route to FastCGI does by itself. See <see cref="BufferingConfig"/>.
    /// </summary>
    public static ProxyRouteBuilder WithBuffering(this ProxyRouteBuilder builder, Action<BufferingOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.ConfigureRoute(route =>
        {
            var now = route.Buffering ?? new();
            var options = new BufferingOptions();
            options.Request.Read(now.Request);
            options.Response.Read(now.Response);
            configure(options);
            return route with { Buffering = new() { Request = options.Request.ToConfig(), Response = options.Response.ToConfig() } };
        });
    }

    /// <summary>Takes requests off the client whole before the upstream is asked. See <see cref="RequestBufferingConfig"/>.</summary>
    public static ProxyRouteBuilder WithRequestBuffering(this ProxyRouteBuilder builder) => builder.WithRequestBuffering(static _ => { });

    /// <summary>Takes requests off the client whole before the upstream is asked, with settings. Calls go on with what is there. See <see cref="RequestBufferingConfig"/>.</summary>
    public static ProxyRouteBuilder WithRequestBuffering(this ProxyRouteBuilder builder, Action<RequestBufferingOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.ConfigureRoute(route =>
        {
            var now = route.Buffering ?? new();
            var options = new RequestBufferingOptions();
            options.Read(now.Request);
            configure(options);
            return route with { Buffering = now with { Request = options.ToConfig() } };
        });
    }

    /// <summary>Takes responses off the upstream at its own speed, and hands them on at the client's. See <see cref="ResponseBufferingConfig"/>.</summary>
    public static ProxyRouteBuilder WithResponseBuffering(this ProxyRouteBuilder builder) => builder.WithResponseBuffering(static _ => { });

    /// <summary>
    /// Takes responses off the upstream at its own speed, and hands them on at the client's, with settings. Calls go on with what is there. See
    /// <see cref="ResponseBufferingConfig"/>.
    /// </summary>
    public static ProxyRouteBuilder WithResponseBuffering(this ProxyRouteBuilder builder, Action<ResponseBufferingOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.ConfigureRoute(route =>
        {
            var now = route.Buffering ?? new();
            var options = new ResponseBufferingOptions();
            options.Read(now.Response);
            configure(options);
            return route with { Buffering = now with { Response = options.ToConfig() } };
        });
    }
}
