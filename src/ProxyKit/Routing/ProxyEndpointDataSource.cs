using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Primitives;
using ProxyKit.Configuration;
using ProxyKit.Pipeline;

namespace ProxyKit.Routing;

/// <summary>The endpoints of the configured routes. An endpoint whose route has not changed stays the same object across reloads.</summary>
internal sealed class ProxyEndpointDataSource : EndpointDataSource
{
    private readonly ProxyConfigManager _manager;
    private readonly IServiceProvider _services;
    private readonly List<Action<EndpointBuilder>> _conventions = [];
    private readonly List<Action<EndpointBuilder>> _finallyConventions = [];
    private readonly Lock _lock = new();
    private Dictionary<ProxyRoute, Endpoint> _endpoints = [];
    private IReadOnlyList<ProxyRoute>? _built;

    public ProxyEndpointDataSource(ProxyConfigManager manager, IServiceProvider services)
    {
        _manager = manager;
        _services = services;
        Conventions = new ConventionBuilder(this);
        manager.RoutesAreMapped = true;
    }

    public IEndpointConventionBuilder Conventions { get; }

    public override IReadOnlyList<Endpoint> Endpoints => Build(null);

    public override IReadOnlyList<Endpoint> GetGroupedEndpoints(RouteGroupContext context) => Build(context);

    public override IChangeToken GetChangeToken() => _manager.GetChangeToken();

    private IReadOnlyList<Endpoint> Build(RouteGroupContext? group)
    {
        lock (_lock)
        {
            var routes = _manager.ConfiguredRoutes;
            if (!ReferenceEquals(routes, _built))
            {
                var old = _endpoints;
                _endpoints = [];
                foreach (var route in routes)
                    _endpoints[route] = old.TryGetValue(route, out var endpoint) ? endpoint : Create(route, group);
                _built = routes;
            }
            return [.. _endpoints.Values];
        }
    }

    private Endpoint Create(ProxyRoute route, RouteGroupContext? group)
    {
        var pattern = RoutePatternFactory.Parse(route.Config.Match.Path ?? "/{**catchall}");
        if (group is not null)
            pattern = RoutePatternFactory.Combine(group.Prefix, pattern);
        var builder = new RouteEndpointBuilder(route.InvokeAsync, pattern, route.Config.Order ?? 0)
        {
            DisplayName = $"Proxy: {route.Config.RouteId}",
            ApplicationServices = group?.ApplicationServices ?? _services,
        };
        foreach (var convention in group?.Conventions ?? [])
            convention(builder);
        ProxyEndpoint.AddMetadata(builder, route.Config);
        foreach (var convention in _conventions)
            convention(builder);
        foreach (var convention in _finallyConventions)
            convention(builder);
        foreach (var convention in group?.FinallyConventions ?? [])
            convention(builder);
        return builder.Build();
    }

    private sealed class ConventionBuilder(ProxyEndpointDataSource source) : IEndpointConventionBuilder
    {
        public void Add(Action<EndpointBuilder> convention) => source._conventions.Add(convention);

        public void Finally(Action<EndpointBuilder> finallyConvention) => source._finallyConventions.Add(finallyConvention);
    }
}
