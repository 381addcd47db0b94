using Microsoft.AspNetCore.Builder;

namespace ProxyKit;

/// <summary>
/// A route made by <c>MapProxy</c>. ASP.NET Core's own steps (<c>RequireAuthorization</c>, <c>RequireHost</c>, <c>RequireRateLimiting</c>, <c>WithOrder</c> …) and
/// ProxyKit's <c>With…</c> steps work on it in any order.
/// </summary>
public sealed class ProxyRouteBuilder : IEndpointConventionBuilder, IClusterConventionBuilder
{
    private readonly IEndpointConventionBuilder? _endpoint;
    private readonly List<string> _errors = [];

    internal ProxyRouteBuilder(RouteConfig route, ClusterConfig? ownCluster, IEndpointConventionBuilder? endpoint)
    {
        Route = route;
        OwnCluster = ownCluster;
        _endpoint = endpoint;
    }

    internal RouteConfig Route { get; private set; }

    /// <summary>The route's own cluster; null if it names a shared one.</summary>
    internal ClusterConfig? OwnCluster { get; private set; }

    internal IReadOnlyList<string> Errors => _errors;

    internal void AddError(string error) => _errors.Add(error);

    /// <summary>Changes the route's configuration. Steps call it; so can a user's own.</summary>
    public ProxyRouteBuilder ConfigureRoute(Func<RouteConfig, RouteConfig> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        Route = change(Route);
        return this;
    }

    /// <inheritdoc/>
    public void ConfigureCluster(string stepName, Func<ClusterConfig, ClusterConfig> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        if (OwnCluster is null)
            AddError($"Route '{Route.RouteId}': {stepName} concerns the cluster, and '{Route.ClusterId}' is shared. Write it where the cluster is configured: AddCluster(\"{Route.ClusterId}\", c => c.{stepName}(…)), or in its JSON.");
        else
            OwnCluster = change(OwnCluster);
    }

    /// <inheritdoc/>
    public void Add(Action<EndpointBuilder> convention) => _endpoint?.Add(convention);

    /// <inheritdoc/>
    public void Finally(Action<EndpointBuilder> finallyConvention) => _endpoint?.Finally(finallyConvention);
}
