using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps by which a route answers in the upstream's place, with files and with error pages.</summary>
public static class ProxyInternalRedirectSteps
{
    /// <summary>
    /// Lets the upstream answer with a file by <c>X-Accel-Redirect</c>: one whose path begins with <paramref name="prefix"/> is sent from <paramref name="folder"/>. Calls add up.
    /// See <see cref="RouteConfig.InternalRedirects"/>.
    /// </summary>
    /// <param name="builder">The route.</param>
    /// <param name="prefix">The beginning of the path in the field, such as <c>/protected/</c>. It is no path that clients can ask for.</param>
    /// <param name="folder">The folder in which the rest of the path is looked up.</param>
    public static ProxyRouteBuilder WithInternalRedirect(this ProxyRouteBuilder builder, string prefix, string folder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(prefix);
        ArgumentException.ThrowIfNullOrEmpty(folder);
        return builder.ConfigureRoute(route => route with { InternalRedirects = new([.. route.InternalRedirects.Where(r => r.Key != prefix), new(prefix, folder)]) });
    }

    /// <summary>
    /// Lets the upstream answer with a file by <c>X-Sendfile</c>, if the file is in one of <paramref name="folders"/>. Calls add up. See <see cref="RouteConfig.SendFile"/>.
    /// </summary>
    public static ProxyRouteBuilder WithSendFile(this ProxyRouteBuilder builder, params string[] folders)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(folders);
        return builder.ConfigureRoute(route => route with { SendFile = [.. route.SendFile, .. folders] });
    }

    /// <summary>Answers in the place of the upstream's errors, all from 400 to 599. See <see cref="RouteConfig.InterceptErrors"/>.</summary>
    public static ProxyRouteBuilder WithInterceptErrors(this ProxyRouteBuilder builder) => builder.WithInterceptErrors("400-599");

    /// <summary>Answers in the place of the upstream's errors. See <see cref="RouteConfig.InterceptErrors"/>.</summary>
    /// <param name="builder">The route.</param>
    /// <param name="statuses">Statuses and ranges of them, such as <c>404,500-599</c>.</param>
    public static ProxyRouteBuilder WithInterceptErrors(this ProxyRouteBuilder builder, string statuses)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(statuses);
        return builder.ConfigureRoute(route => route with { InterceptErrors = statuses });
    }
}
