using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that make a whole site of a FastCGI route.</summary>
public static class ProxySiteSteps
{
    /// <summary>
    /// Answers with the files below <see cref="FastCgiConfig.Root"/>, and lets the front controller answer for paths that name neither a file nor a script.
    /// <c>MapPhp</c> has done it already. See <see cref="SiteConfig"/>.
    /// </summary>
    public static ProxyRouteBuilder WithSite(this ProxyRouteBuilder builder) => builder.WithSite(static _ => { });

    /// <summary>The same, with settings. Calls go on with what is there. See <see cref="SiteConfig"/>.</summary>
    public static ProxyRouteBuilder WithSite(this ProxyRouteBuilder builder, Action<SiteOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.ConfigureRoute(route =>
        {
            var options = new SiteOptions(route.Site ?? new());
            configure(options);
            return route with { Site = options.ToConfig() };
        });
    }
}
