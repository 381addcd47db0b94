using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps for a route whose destinations speak FastCGI.</summary>
public static class ProxyFastCgiSteps
{
    /// <summary>
    /// Lets the scripts below <paramref name="root"/> answer: the path names one, the rest is its <c>PATH_INFO</c>, and what names none is 404. See <see cref="FastCgiConfig"/>.
    /// </summary>
    /// <param name="builder">The route.</param>
    /// <param name="root">The folder of the scripts: an absolute path, which has to be the same for the FastCGI application.</param>
    public static ProxyRouteBuilder WithFastCgi(this ProxyRouteBuilder builder, string root)
    {
        ArgumentException.ThrowIfNullOrEmpty(root);
        return builder.WithFastCgi(site => site.Root = root);
    }

    /// <summary>Says which scripts answer and what they are told. Calls go on with what is there. See <see cref="FastCgiConfig"/>.</summary>
    /// <param name="builder">The route.</param>
    /// <param name="configure">Changes the settings.</param>
    public static ProxyRouteBuilder WithFastCgi(this ProxyRouteBuilder builder, Action<FastCgiOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.ConfigureRoute(route =>
        {
            var options = new FastCgiOptions(route.FastCgi ?? new());
            configure(options);
            return route with { FastCgi = options.ToConfig() };
        });
    }
}
