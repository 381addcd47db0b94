using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using ProxyKit.Pipeline;

namespace ProxyKit.Routing;

/// <summary>The routes that <c>MapProxy</c> has mapped.</summary>
internal sealed class CodeRoutes
{
    private readonly List<CodeRoute> _routes = [];

    public IReadOnlyList<CodeRoute> Routes => _routes;

    public ProxyRouteBuilder Add(IEndpointRouteBuilder endpoints, string pattern, string[] destinations)
    {
        var code = new CodeRoute();
        // Addresses have a scheme; what has none names a cluster.
        var isCluster = destinations.Length == 1 && !destinations[0].Contains("://", StringComparison.Ordinal);
        var routeId = UniqueId(pattern);
        var route = new RouteConfig { RouteId = routeId, ClusterId = isCluster ? destinations[0] : routeId, Match = new() { Path = pattern } };
        var cluster = isCluster ? null : new ClusterConfig
        {
            ClusterId = routeId,
            Destinations = destinations.Select(a => new DestinationConfig { Address = a }).ToValueList(),
        };

        IEndpointConventionBuilder? endpoint = null;
        try
        {
            endpoint = endpoints.Map(RoutePatternFactory.Parse(pattern), code.InvokeAsync);
        }
        catch (RoutePatternException)
        {
            // Validation reports it, with all else that is wrong.
        }
        code.Builder = new ProxyRouteBuilder(route, cluster, endpoint);
        endpoint?.Add(b => ProxyEndpoint.AddMetadata(b, code.Builder.Route));
        endpoint?.Add(b => b.DisplayName = $"Proxy: {pattern}");
        _routes.Add(code);
        return code.Builder;
    }

    private string UniqueId(string pattern)
    {
        var id = pattern;
        for (var i = 2; _routes.Exists(r => r.Builder.Route.RouteId == id); i++)
            id = $"{pattern}#{i}";
        return id;
    }
}

/// <summary>A mapped route: its builder until the app starts, then what the builder has built.</summary>
internal sealed class CodeRoute
{
    public ProxyRouteBuilder Builder { get; set; } = null!;

    public ProxyRoute? Route { get; set; }

    public Task InvokeAsync(HttpContext context) => (Route ?? throw new InvalidOperationException(
        "The proxy has not started. Its routes are validated and built when the host starts; this host did not run its hosted services.")).InvokeAsync(context);
}
