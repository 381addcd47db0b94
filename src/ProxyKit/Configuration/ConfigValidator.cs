using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using ProxyKit.Buffering;
using ProxyKit.Caching;
using ProxyKit.Compression;
using ProxyKit.Discovery;
using ProxyKit.FastCgi;
using ProxyKit.Forwarding;
using ProxyKit.Health;
using ProxyKit.InternalRedirects;
using ProxyKit.LoadBalancing;
using ProxyKit.Mirroring;
using ProxyKit.Pipeline;
using ProxyKit.Resilience;
using ProxyKit.SessionAffinity;
using ProxyKit.StaticSites;
using ProxyKit.TrafficSplitting;
using ProxyKit.Transforms;

namespace ProxyKit.Configuration;

/// <summary>Finds everything that is wrong with a configuration, not just the first thing.</summary>
internal sealed class ConfigValidator(
    IServiceProvider services, IOptions<ReverseProxyOptions> options, ContentFiles files, ClusterServices clusterServices, TempFiles tempFiles, IEnumerable<IProxyCacheStore> cacheStores,
    CompressionServices compression)
{
    // ownClusters: those of single routes in code, which no other route is meant to name.
    public List<string> Validate(IReadOnlyList<RouteConfig> routes, IReadOnlyList<ClusterConfig> clusters, IEnumerable<string> ownClusters)
    {
        var errors = new List<string>();
        ValidateOptions(options.Value, errors);
        CacheValidator.Validate(options.Value.Cache, errors);

        var clusterIds = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var cluster in clusters)
        {
            if (!clusterIds.Add(cluster.ClusterId))
                errors.Add($"Cluster '{cluster.ClusterId}' is configured twice. Cluster names are unique over all sources.");
            ClusterValidator.Validate(cluster, clusterServices, files, errors);
        }

        var routeIds = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var route in routes)
        {
            var where = $"Route '{route.RouteId}'";
            if (!routeIds.Add(route.RouteId))
                errors.Add($"{where} is configured twice. Route names are unique over all sources.");
            if (string.IsNullOrEmpty(route.ClusterId))
                errors.Add($"{where} names no cluster: ClusterId is required.");
            else if (UnknownCluster(route.ClusterId) is { } unknown)
                errors.Add($"{where}: {unknown}{(route.ClusterId.AsSpan().ContainsAny(":./") ? $" If an address is meant, it needs a scheme: {DestinationAddress.Suggest(route.ClusterId, route.FastCgi is not null)}." : "")}");
            else if (!ownClusters.Contains(route.ClusterId, StringComparer.OrdinalIgnoreCase) && clusters.First(c => Is(c.ClusterId, route.ClusterId)).Destinations.Count == 0)
                errors.Add($"{where}: its cluster '{route.ClusterId}' has no destination. Add one under Destinations, or in code with To(…).");
            SplitValidator.Validate(where, route, UnknownCluster, errors);
            MirrorValidator.Validate(where, route, UnknownCluster, errors);
            BufferingValidator.Validate(where, route.Buffering, errors);
            CacheValidator.Validate(where, route, options.Value.Cache, cacheStores, errors);
            CompressionValidator.Validate(where, route.Compression, compression, errors);
            FastCgiValidator.Validate(where, route, clusters, errors);
            SiteValidator.Validate(where, route, errors);
            StaticFilesValidator.Validate(where, route, files, errors);
            ValidateMatch(where, route.Match, errors);
            ValidateRoute(where, route, clusters.FirstOrDefault(c => c.ClusterId.Equals(route.ClusterId, StringComparison.OrdinalIgnoreCase)), errors);
        }
        BufferingValidator.Validate(routes, clusters, options.Value.Buffering, tempFiles, errors);
        return errors;

        string? UnknownCluster(string id) => clusterIds.Contains(id)
            ? null
            : $"there is no cluster '{id}'{Nearest.Hint(id, clusterIds.Except(ownClusters, StringComparer.OrdinalIgnoreCase))}";
    }

    private static void ValidateOptions(ReverseProxyOptions options, List<string> errors)
    {
        foreach (var entry in options.TrustedProxies)
        {
            if (!entry.Equals(TrustedPeers.Unix, StringComparison.OrdinalIgnoreCase) && !TrustedPeers.TryParse(entry, out _))
                errors.Add($"{nameof(ReverseProxyOptions)}.{nameof(options.TrustedProxies)}: '{entry}' is not {TrustedPeers.Allowed}.");
        }
        if (!Tokens.IsToken(options.Pseudonym))
            errors.Add($"{nameof(ReverseProxyOptions)}.{nameof(options.Pseudonym)}: '{options.Pseudonym}' is not a token (letters, digits and !#$%&'*+-.^_`|~).");
    }

    private static void ValidateMatch(string where, RouteMatch match, List<string> errors)
    {
        if (match.Path is null && match.Hosts.Count == 0)
            errors.Add($"{where}: Match needs a Path, Hosts, or both.");
        if (match.Path is { } path)
        {
            try
            {
                RoutePatternFactory.Parse(path);
            }
            catch (RoutePatternException e)
            {
                errors.Add($"{where}: '{path}' is not a route pattern: {e.Message} Allowed are ASP.NET Core route patterns such as /shop/{{**path}}.");
            }
        }
        foreach (var method in match.Methods.Where(m => !Tokens.IsToken(m)))
            errors.Add($"{where}: Match.Methods: '{method}' is not a method name.");
        foreach (var host in match.Hosts.Where(h => !IsHostPattern(h)))
            errors.Add($"{where}: Match.Hosts: '{host}' is not a host. Allowed are names and addresses, with a port if wanted, and *.example.com.");
        foreach (var header in match.Headers)
            ValidateHeader($"{where}: Match.Headers", header, errors);
        foreach (var query in match.QueryParameters)
        {
            if (string.IsNullOrEmpty(query.Name))
                errors.Add($"{where}: Match.QueryParameters: a name is missing.");
            var isExistence = query.Mode is QueryParameterMatchMode.Exists;
            if (isExistence != (query.Values.Count == 0))
                errors.Add($"{where}: Match.QueryParameters: '{query.Name}' {(isExistence ? "must not have Values with Mode Exists" : $"needs Values with Mode {query.Mode}")}.");
        }
    }

    public static void ValidateHeader(string where, HeaderMatch header, List<string> errors)
    {
        if (!Tokens.IsToken(header.Name))
            errors.Add($"{where}: '{header.Name}' is not a header name.");
        var isExistence = header.Mode is HeaderMatchMode.Exists or HeaderMatchMode.NotExists;
        if (isExistence != (header.Values.Count == 0))
            errors.Add($"{where}: '{header.Name}' {(isExistence ? $"must not have Values with Mode {header.Mode}" : $"needs Values with Mode {header.Mode}")}.");
    }

    // What ASP.NET Core's host matching parses; it throws at the first request otherwise.
    private static bool IsHostPattern(string host)
    {
        var parts = host.Split(':');
        return !string.IsNullOrWhiteSpace(parts[0]) && !host.Contains('/', StringComparison.Ordinal)
            && (parts.Length == 1 || (parts.Length == 2 && (parts[1] == "*" || ushort.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out _))));
    }

    private void ValidateRoute(string where, RouteConfig route, ClusterConfig? cluster, List<string> errors)
    {
        if (route.Timeout is { } timeout && timeout != Timeout.InfiniteTimeSpan && (timeout <= TimeSpan.Zero || timeout > TimeSpan.FromMilliseconds(int.MaxValue)))
            errors.Add($"{where}: Timeout is {timeout}; it must be positive and at most 24 days, or -00:00:00.0010000 for none.");
        if (route is { Timeout: not null, TimeoutPolicy: not null })
            errors.Add($"{where}: Timeout ({route.Timeout}) and TimeoutPolicy ('{route.TimeoutPolicy}') exclude each other.");
        if (route.MaxRequestBodySize is < -1)
            errors.Add($"{where}: MaxRequestBodySize is {route.MaxRequestBodySize}; it is a number of bytes, or -1 for no limit.");
        foreach (var upgrade in route.Upgrades.Where(u => !Tokens.IsToken(u.Replace('/', '-'))))
            errors.Add($"{where}: Upgrades: '{upgrade}' is not a protocol name such as websocket.");
        foreach (var (status, path) in route.ErrorPages)
        {
            if (!ErrorPages.IsValidKey(status))
                errors.Add($"{where}: ErrorPages: '{status}' is not a status of 4xx or 5xx, such as 502, 5xx or default.");
            if (!files.Exists(path))
                errors.Add($"{where}: ErrorPages: the file '{path}' for {status} does not exist.");
        }
        InternalRedirectValidator.Validate(where, route, files, errors);
        foreach (var transform in route.Transforms)
            TransformValidator.Validate(where, transform, cluster?.HttpClient ?? new(), errors);
        ValidatePolicies(where, route, errors);
    }

    private void ValidatePolicies(string where, RouteConfig route, List<string> errors)
    {
        if (route.AuthorizationPolicy is { } authorization && !Is(authorization, "anonymous"))
        {
            if (services.GetService<IAuthorizationPolicyProvider>() is not { } provider)
                errors.Add($"{where}: AuthorizationPolicy '{authorization}' needs builder.Services.AddAuthorization().");
            else if (!Is(authorization, "default") && provider.GetPolicyAsync(authorization).GetAwaiter().GetResult() is null)
                errors.Add($"{where}: there is no authorization policy '{authorization}'.");
        }
        if (route.CorsPolicy is { } cors && !Is(cors, "disable"))
        {
            if (services.GetService<ICorsPolicyProvider>() is not { } provider)
                errors.Add($"{where}: CorsPolicy '{cors}' needs builder.Services.AddCors().");
            else if (!Is(cors, "default") && provider.GetPolicyAsync(new DefaultHttpContext { RequestServices = services }, cors).GetAwaiter().GetResult() is null)
                errors.Add($"{where}: there is no CORS policy '{cors}'.");
        }
        // Whether a rate limiter or output cache policy of that name exists is not public; the middleware says so at the first request.
        if (route.RateLimiterPolicy is { } rateLimiter && !Is(rateLimiter, "disable") && !services.GetServices<IConfigureOptions<RateLimiterOptions>>().Any())
            errors.Add($"{where}: RateLimiterPolicy '{rateLimiter}' needs builder.Services.AddRateLimiter(…) and app.UseRateLimiter().");
        if (route.OutputCachePolicy is { } outputCache && services.GetService<IOutputCacheStore>() is null)
            errors.Add($"{where}: OutputCachePolicy '{outputCache}' needs builder.Services.AddOutputCache(…) and app.UseOutputCache().");
        if (route.TimeoutPolicy is { } timeoutPolicy && !Is(timeoutPolicy, "disable")
            && services.GetService<IOptions<RequestTimeoutOptions>>()?.Value.Policies.ContainsKey(timeoutPolicy) != true)
            errors.Add($"{where}: there is no request timeout policy '{timeoutPolicy}'. Add it with builder.Services.AddRequestTimeouts(…).");
    }

    private static bool Is(string value, string name) => value.Equals(name, StringComparison.OrdinalIgnoreCase);
}

/// <summary>The part of validation that concerns clusters.</summary>
internal static class ClusterValidator
{
    private static readonly Version[] s_versions = [HttpVersion.Version10, HttpVersion.Version11, HttpVersion.Version20, HttpVersion.Version30];

    public static void Validate(ClusterConfig cluster, ClusterServices services, ContentFiles files, List<string> errors)
    {
        var where = $"Cluster '{cluster.ClusterId}'";
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var addresses = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var destination in cluster.Destinations)
        {
            if (cluster.Discovery is null && !DestinationAddress.TryParse(destination.Address, out _))
                errors.Add($"{where}: '{destination.Address}' is not a destination address. Allowed are {DestinationAddress.Allowed}.");
            if (destination.Health is not null && !DestinationAddress.TryParse(destination.Health, out _))
                errors.Add($"{where}: destination '{destination.Name ?? destination.Address}': Health '{destination.Health}' is not an address. Allowed are {DestinationAddress.Allowed}.");
            if (!names.Add(destination.Name ?? $"{destination.Address} {destination.Host}") || !addresses.Add($"{destination.Address} {destination.Host}"))
                errors.Add($"{where}: destination '{destination.Name ?? destination.Address}' is there twice. Names, and addresses with their Host, are unique in a cluster.");
            if (destination.Host is { } host && !IsHost(host))
                errors.Add($"{where}: destination '{destination.Name ?? destination.Address}': Host '{host}' is not a host name.");
            if (destination.Weight is < 0 or > 1000)
                errors.Add($"{where}: destination '{destination.Name ?? destination.Address}': Weight is {destination.Weight}; it must be 0 to 1000.");
            if (destination.MaxConcurrentRequests is < 1)
                errors.Add($"{where}: destination '{destination.Name ?? destination.Address}': MaxConcurrentRequests is {destination.MaxConcurrentRequests}; it must be at least 1.");
        }
        if (!services.PolicyNames.Contains(cluster.LoadBalancingPolicy, StringComparer.OrdinalIgnoreCase))
            errors.Add($"{where}: LoadBalancingPolicy '{cluster.LoadBalancingPolicy}' is not known{Nearest.Hint(cluster.LoadBalancingPolicy, services.PolicyNames)} Your own are added with AddLoadBalancingPolicy.");
        HashValidator.Validate(where, cluster, errors);
        ConcurrencyLimitsValidator.Validate(where, cluster, errors);
        FastCgiConnectionValidator.Validate(where, cluster, errors);
        if (cluster.Resilience is { } resilience)
            ResilienceValidator.Validate(where, resilience, errors);
        PassiveHealthValidator.Validate(where, cluster.HealthCheck.Passive, errors);
        CircuitBreakerValidator.Validate(where, cluster.CircuitBreaker, errors);
        DiscoveryValidator.Validate(where, cluster, services.Discovery, errors);
        ValidateTimeouts(where, cluster.Timeouts, errors);
        ValidateHttpClient(where, cluster.HttpClient, files, errors);
        HealthCheckValidator.Validate(where, cluster, errors);
        SessionAffinityValidator.Validate(where, cluster.SessionAffinity, services.Affinity, errors);
        if (cluster.HttpRequest.Version is { } version && !IsHttpVersion(version))
            errors.Add($"{where}: HttpRequest.Version '{version}' is not an HTTP version. Allowed are 1.0, 1.1, 2 and 3.");
    }

    public static bool IsHttpVersion(Version version) => s_versions.Contains(version);

    public static bool IsHost(string host)
    {
        var name = new HostString(host).Host;
        var port = host.StartsWith(name, StringComparison.Ordinal) ? host.AsSpan(name.Length) : default;
        return host.Length > 0 && Uri.CheckHostName(name.Trim('[', ']')) != UriHostNameType.Unknown
            && (port.IsEmpty || (port[0] == ':' && ushort.TryParse(port[1..], NumberStyles.None, CultureInfo.InvariantCulture, out _)));
    }

    private static void ValidateTimeouts(string where, TimeoutConfig timeouts, List<string> errors)
    {
        Check(nameof(timeouts.Connect), timeouts.Connect);
        Check(nameof(timeouts.FirstByte), timeouts.FirstByte);
        Check(nameof(timeouts.Idle), timeouts.Idle);
        Check(nameof(timeouts.Total), timeouts.Total);
        if (timeouts.FirstByte > TimeSpan.Zero && (timeouts.Connect > timeouts.FirstByte || timeouts.Connect == Timeout.InfiniteTimeSpan))
            errors.Add($"{where}: Timeouts.Connect ({timeouts.Connect}) is longer than Timeouts.FirstByte ({timeouts.FirstByte}), which includes it. Shorten Connect, or lengthen FirstByte.");

        void Check(string name, TimeSpan value)
        {
            if (value != Timeout.InfiniteTimeSpan && (value <= TimeSpan.Zero || value > TimeSpan.FromMilliseconds(int.MaxValue)))
                errors.Add($"{where}: Timeouts.{name} is {value}; it must be positive and at most 24 days, or -00:00:00.0010000 for none.");
        }
    }

    private static void ValidateHttpClient(string where, HttpClientConfig client, ContentFiles files, List<string> errors)
    {
        if (client.MaxConnectionsPerServer is < 1)
            errors.Add($"{where}: HttpClient.MaxConnectionsPerServer is {client.MaxConnectionsPerServer}; it must be at least 1.");
        if (client.MaxResponseHeadersLength < 1)
            errors.Add($"{where}: HttpClient.MaxResponseHeadersLength is {client.MaxResponseHeadersLength}; it is a number of KB, at least 1.");
        foreach (var (name, value) in new[] { (nameof(client.PooledConnectionIdleTimeout), client.PooledConnectionIdleTimeout), (nameof(client.PooledConnectionLifetime), client.PooledConnectionLifetime) })
        {
            if (value < TimeSpan.Zero && value != Timeout.InfiniteTimeSpan)
                errors.Add($"{where}: HttpClient.{name} is {value}; it must not be negative, or -00:00:00.0010000 for no limit.");
        }
        foreach (var encoding in new[] { client.RequestHeaderEncoding, client.ResponseHeaderEncoding })
        {
            var usable = Encoding.GetEncodings().Where(e => HeaderText.IsUsable(e.GetEncoding())).Select(e => e.Name).Append("latin1");
            if (encoding is not null && !usable.Contains(encoding, StringComparer.OrdinalIgnoreCase))
                errors.Add($"{where}: HttpClient: '{encoding}' is not an encoding for headers. Allowed are {string.Join(", ", usable)}.");
        }
        foreach (var (name, path) in new[]
        {
            ("TrustedCertificateAuthorities", client.TrustedCertificateAuthorities), ("ClientCertificate.Path", client.ClientCertificate?.Path), ("ClientCertificate.KeyPath", client.ClientCertificate?.KeyPath),
        })
        {
            if (path is not null && !files.Exists(path))
                errors.Add($"{where}: HttpClient.{name}: the file '{path}' does not exist.");
        }
    }
}
