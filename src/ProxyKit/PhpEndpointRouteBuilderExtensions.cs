using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps PHP sites.</summary>
public static class PhpEndpointRouteBuilderExtensions
{
    /// <summary>
    /// Maps a whole PHP site: files below <paramref name="root"/> are answered by the proxy, scripts by php-fpm, and all else by the site's front controller,
    /// <c>index.php</c>. Endpoints of the app's own go first. For a site below a prefix: <c>app.MapGroup("/blog").MapPhp(…)</c>.
    /// </summary>
    /// <param name="endpoints">The app, or a group.</param>
    /// <param name="root">The folder of the site; a relative path starts at the app's content root.</param>
    /// <param name="destinations">Where php-fpm listens, such as <c>fastcgi://unix:/run/php/php-fpm.sock</c> or <c>fastcgi://php:9000</c>, or the name of one cluster.</param>
    /// <returns>The route, for further steps: <c>WithSite</c>, <c>WithFastCgi</c>, all others.</returns>
    /// <exception cref="InvalidOperationException"><c>AddReverseProxy()</c> was not called.</exception>
    /// <remarks>What is wrong with the arguments is reported at start-up, with all else that is wrong: <see cref="ProxyConfigurationException"/>.</remarks>
    public static ProxyRouteBuilder MapPhp(this IEndpointRouteBuilder endpoints, string root, params string[] destinations)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentException.ThrowIfNullOrEmpty(root);
        // /var/www is an absolute path also to a Windows that hosts the proxy, when php-fpm runs in a container.
        var path = Path.IsPathRooted(root) ? root : Path.GetFullPath(root, endpoints.ServiceProvider.GetRequiredService<IHostEnvironment>().ContentRootPath);
        return endpoints.MapProxy("/{**path}", destinations)
            .ConfigureRoute(route => route with { FastCgi = new() { Root = path } })
            .WithSite();
    }
}
