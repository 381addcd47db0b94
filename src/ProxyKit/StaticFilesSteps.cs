using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps by which a route answers with files of its own.</summary>
public static class ProxyStaticFilesSteps
{
    /// <summary>Answers with the files in <c>wwwroot</c>, below the app's content root, and asks the upstream for all else. See <see cref="StaticFilesConfig"/>.</summary>
    public static ProxyRouteBuilder WithStaticFiles(this ProxyRouteBuilder builder) => builder.WithStaticFiles(static _ => { });

    /// <summary>Answers with the files below <paramref name="root"/>, and asks the upstream for all else. See <see cref="StaticFilesConfig"/>.</summary>
    /// <param name="builder">The route.</param>
    /// <param name="root">The folder; a relative path starts at the app's content root.</param>
    public static ProxyRouteBuilder WithStaticFiles(this ProxyRouteBuilder builder, string root) => builder.WithStaticFiles(root, static _ => { });

    /// <summary>The same, with settings. Calls go on with what is there. See <see cref="StaticFilesConfig"/>.</summary>
    /// <param name="builder">The route.</param>
    /// <param name="configure">Changes the settings.</param>
    public static ProxyRouteBuilder WithStaticFiles(this ProxyRouteBuilder builder, Action<StaticFilesOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.ConfigureRoute(route =>
        {
            var options = new StaticFilesOptions(route.StaticFiles ?? new());
            configure(options);
            return route with { StaticFiles = options.ToConfig() };
        });
    }

    /// <summary>Answers with the files below <paramref name="root"/>, with settings. Calls go on with what is there. See <see cref="StaticFilesConfig"/>.</summary>
    /// <param name="builder">The route.</param>
    /// <param name="root">The folder; a relative path starts at the app's content root.</param>
    /// <param name="configure">Changes the settings.</param>
    public static ProxyRouteBuilder WithStaticFiles(this ProxyRouteBuilder builder, string root, Action<StaticFilesOptions> configure)
    {
        ArgumentException.ThrowIfNullOrEmpty(root);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.WithStaticFiles(options =>
        {
            options.Root = root;
            configure(options);
        });
    }
}
