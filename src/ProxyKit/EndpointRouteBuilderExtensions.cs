using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit;
using ProxyKit.Configuration;
using ProxyKit.Routing;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps proxy routes.</summary>
public static class ProxyEndpointRouteBuilderExtensions
{
    /// <summary>Forwards what matches <paramref name="pattern"/> to a destination, or to several in turn, or to a named cluster.</summary>
    /// <param name="endpoints">The app, or a group.</param>
    /// <param name="pattern">An ASP.NET Core route pattern; <c>/shop/{**path}</c> is all below /shop.</param>
    /// <param name="destinations">Addresses such as <c>http://localhost:5001</c>, or the name of one cluster.</param>
    /// <exception cref="InvalidOperationException"><c>AddReverseProxy()</c> was not called.</exception>
    /// <remarks>What is wrong with the arguments is reported at start-up, with all else that is wrong: <see cref="ProxyConfigurationException"/>.</remarks>
    public static ProxyRouteBuilder MapProxy(this IEndpointRouteBuilder endpoints, [StringSyntax("Route")] string pattern, params string[] destinations)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(destinations);
        return Service<CodeRoutes>(endpoints).Add(endpoints, pattern, destinations);
    }

    /// <summary>Maps every route of the configuration sources, and follows their changes.</summary>
    /// <returns>A builder whose conventions hold for all of them.</returns>
    /// <exception cref="InvalidOperationException"><c>AddReverseProxy()</c> was not called.</exception>
    public static IEndpointConventionBuilder MapReverseProxy(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        var source = new ProxyEndpointDataSource(Service<ProxyConfigManager>(endpoints), endpoints.ServiceProvider);
        endpoints.DataSources.Add(source);
        return source.Conventions;
    }

    private static T Service<T>(IEndpointRouteBuilder endpoints)
        where T : notnull =>
        endpoints.ServiceProvider.GetService<T>()
        ?? throw new InvalidOperationException("The reverse proxy's services are missing: call builder.Services.AddReverseProxy() before builder.Build().");
}
