using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that concern a route.</summary>
public static class ProxyRouteSteps
{
    /// <summary>Changes requests and responses on their way. Calls add up.</summary>
    public static ProxyRouteBuilder WithTransforms(this ProxyRouteBuilder builder, Action<TransformBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var transforms = TransformBuilder.Build(configure);
        return builder.ConfigureRoute(route => route with { Transforms = [.. route.Transforms, .. transforms] });
    }

    /// <summary>Takes only requests that look like this: by method, header or query parameter.</summary>
    public static ProxyRouteBuilder WithMatch(this ProxyRouteBuilder builder, Action<RouteMatchOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        var options = new RouteMatchOptions();
        configure(options);
        return builder.ConfigureRoute(route => route with
        {
            Match = route.Match with
            {
                Methods = [.. route.Match.Methods, .. options.Methods],
                Headers = [.. route.Match.Headers, .. options.Headers],
                QueryParameters = [.. route.Match.QueryParameters, .. options.QueryParameters],
            },
        });
    }

    /// <summary>Limits how long a request may take as a whole; more is 504. See <see cref="RouteConfig.Timeout"/>.</summary>
    public static ProxyRouteBuilder WithTimeout(this ProxyRouteBuilder builder, TimeSpan total)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.ConfigureRoute(route => route with { Timeout = total });
    }

    /// <summary>Lets these <c>Upgrade</c> protocols pass, and no others; without any, not even WebSockets. See <see cref="RouteConfig.Upgrades"/>.</summary>
    public static ProxyRouteBuilder WithUpgrades(this ProxyRouteBuilder builder, params string[] protocols)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(protocols);
        return builder.ConfigureRoute(route => route with { Upgrades = protocols.ToValueList() });
    }

    /// <summary>Answers with this file when the proxy itself has to answer with an error.</summary>
    /// <param name="builder">The route.</param>
    /// <param name="status">A status code (<c>502</c>), a class (<c>5xx</c>) or <c>default</c>.</param>
    /// <param name="path">The file's path. It is read once, at start-up.</param>
    public static ProxyRouteBuilder WithErrorPage(this ProxyRouteBuilder builder, string status, string path)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(status);
        ArgumentException.ThrowIfNullOrEmpty(path);
        return builder.ConfigureRoute(route => route with { ErrorPages = new([.. route.ErrorPages.Where(p => p.Key != status), new(status, path)]) });
    }

    /// <summary>Tells clients in <c>Proxy-Status</c> (RFC 9209) what went wrong.</summary>
    public static ProxyRouteBuilder WithProxyStatus(this ProxyRouteBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.ConfigureRoute(route => route with { ProxyStatus = true });
    }

    /// <summary>Writes one line for each request to the log category <c>ProxyKit.AccessLog</c>.</summary>
    public static ProxyRouteBuilder WithAccessLog(this ProxyRouteBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.ConfigureRoute(route => route with { AccessLog = true });
    }
}
