using System.Security.Authentication;
using Microsoft.Extensions.Configuration;
using ProxyKit.Buffering;
using ProxyKit.Caching;
using ProxyKit.Compression;
using ProxyKit.Discovery;
using ProxyKit.FastCgi;
using ProxyKit.Health;
using ProxyKit.LoadBalancing;
using ProxyKit.Mirroring;
using ProxyKit.Resilience;
using ProxyKit.SessionAffinity;
using ProxyKit.StaticSites;
using ProxyKit.TrafficSplitting;

namespace ProxyKit.Configuration;

/// <summary>Routes and clusters in the shape of YARP's <c>ReverseProxy</c> section. The JSON schema says the same; a test holds them together.</summary>
internal sealed class ConfigurationConfigSource(IConfiguration configuration, IConfiguration? root = null) : IProxyConfigSource
{
    public ProxyConfig GetConfig()
    {
        // First the token, then the values: a change in between is seen.
        var token = configuration.GetReloadToken();
        var errors = new List<string>();
        var reader = new SectionReader(SectionNode.Read(configuration, root), errors);
        var routes = reader.Sections("Routes", ReadRoute);
        var clusters = reader.Sections("Clusters", ReadCluster);
        reader.Text("$schema");
        // Beside the routes of a whole configuration stand other things of the app's.
        if (configuration is IConfigurationSection)
            reader.Done();
        return new(routes, clusters, token) { Errors = errors.ToValueList() };
    }

    private static RouteConfig ReadRoute(SectionReader route)
    {
        var defaults = new RouteConfig { RouteId = "" };
        return new()
        {
            // The key of a map is the name; in a list it stands inside.
            RouteId = route.Text("RouteId") ?? route.Key,
            ClusterId = route.Text("ClusterId"),
            Split = route.Section("Split", SplitReader.Read),
            Mirror = route.Section("Mirror", MirrorReader.Read),
            Buffering = route.Section("Buffering", BufferingReader.Read),
            Cache = route.Section("Cache", CacheReader.Read),
            Compression = route.Section("Compression", CompressionReader.Read),
            FastCgi = route.Section("FastCgi", FastCgiReader.ReadSite),
            Site = route.Section("Site", SiteReader.Read),
            StaticFiles = route.Section("StaticFiles", StaticFilesReader.Read),
            Order = route.Int("Order"),
            Match = route.Section("Match", ReadMatch) ?? defaults.Match,
            AuthorizationPolicy = route.Text("AuthorizationPolicy"),
            RateLimiterPolicy = route.Text("RateLimiterPolicy"),
            OutputCachePolicy = route.Text("OutputCachePolicy"),
            CorsPolicy = route.Text("CorsPolicy"),
            TimeoutPolicy = route.Text("TimeoutPolicy"),
            Timeout = route.Time("Timeout"),
            MaxRequestBodySize = route.Long("MaxRequestBodySize"),
            Transforms = [.. route.Sections("Transforms", TransformReader.Read).OfType<Transform>()],
            Upgrades = route.Has("Upgrades") ? route.Texts("Upgrades") : defaults.Upgrades,
            ErrorPages = route.Map("ErrorPages"),
            InterceptErrors = route.Text("InterceptErrors"),
            InternalRedirects = route.Map("InternalRedirects"),
            SendFile = route.Texts("SendFile"),
            ProxyStatus = route.Bool("ProxyStatus") ?? defaults.ProxyStatus,
            AccessLog = route.Bool("AccessLog") ?? defaults.AccessLog,
            Metadata = route.Map("Metadata"),
        };
    }

    private static RouteMatch ReadMatch(SectionReader match) => new()
    {
        Path = match.Text("Path"),
        Methods = match.Texts("Methods"),
        Hosts = match.Texts("Hosts"),
        Headers = match.Sections("Headers", ReadHeader),
        QueryParameters = match.Sections("QueryParameters", query => new QueryParameterMatch
        {
            Name = query.Required("Name"),
            Values = query.Texts("Values"),
            Mode = query.Enum<QueryParameterMatchMode>("Mode") ?? default,
            IsCaseSensitive = query.Bool("IsCaseSensitive") ?? false,
        }),
    };

    public static HeaderMatch ReadHeader(SectionReader header) => new()
    {
        Name = header.Required("Name"),
        Values = header.Texts("Values"),
        Mode = header.Enum<HeaderMatchMode>("Mode") ?? default,
        IsCaseSensitive = header.Bool("IsCaseSensitive") ?? false,
    };

    private static ClusterConfig ReadCluster(SectionReader cluster)
    {
        var httpRequest = cluster.Section("HttpRequest", ReadHttpRequest);
        var timeouts = cluster.Section("Timeouts", ReadTimeouts) ?? new();
        if (httpRequest?.ActivityTimeout is { } idle)
        {
            if (cluster.Has("Timeouts:Idle"))
                cluster.Errors.Add($"{cluster.Path}: HttpRequest:ActivityTimeout and Timeouts:Idle are the same limit; only one may be given.");
            // YARP's limit also holds until the first byte.
            timeouts = timeouts with { Idle = idle, FirstByte = cluster.Has("Timeouts:FirstByte") ? timeouts.FirstByte : idle };
            if (!cluster.Has("Timeouts:Connect") && timeouts.Connect > idle && idle > TimeSpan.Zero)
                timeouts = timeouts with { Connect = idle };
        }
        var metadata = cluster.Map("Metadata");
        return new()
        {
            ClusterId = cluster.Text("ClusterId") ?? cluster.Key,
            Destinations = cluster.Sections("Destinations", destination => new DestinationConfig
            {
                Name = destination.Key,
                Address = destination.Required("Address"),
                Health = destination.Text("Health"),
                Host = destination.Text("Host"),
                Weight = destination.Int("Weight") ?? 1,
                Backup = destination.Bool("Backup") ?? false,
                MaxConcurrentRequests = destination.Int("MaxConcurrentRequests"),
                Metadata = destination.Map("Metadata"),
            }),
            Limits = cluster.Section("Limits", ConcurrencyLimitsReader.Read),
            LoadBalancingPolicy = cluster.Text("LoadBalancingPolicy") ?? LoadBalancingPolicies.PowerOfTwoChoices,
            Failover = cluster.Bool("Failover") ?? true,
            Hash = cluster.Section("Hash", HashReader.Read),
            HttpClient = cluster.Section("HttpClient", ReadHttpClient) ?? new(),
            FastCgi = cluster.Section("FastCgi", FastCgiReader.ReadConnections),
            SessionAffinity = cluster.Section("SessionAffinity", SessionAffinityReader.Read),
            HttpRequest = httpRequest?.Config ?? new(),
            HealthCheck = cluster.Section("HealthCheck", check => HealthCheckReader.Read(check, metadata)) ?? new(),
            Discovery = cluster.Section("Discovery", DiscoveryReader.Read),
            Resilience = cluster.Section("Resilience", ResilienceReader.Read),
            CircuitBreaker = cluster.Section("CircuitBreaker", CircuitBreakerReader.Read),
            Timeouts = timeouts,
            Metadata = metadata,
        };
    }

    private sealed record HttpRequestSection(HttpRequestConfig Config, TimeSpan? ActivityTimeout);

    private static HttpRequestSection ReadHttpRequest(SectionReader request) => new(
        new()
        {
            Version = request.HttpVersion("Version"),
            VersionPolicy = request.Enum<HttpVersionPolicy>("VersionPolicy"),
            AllowResponseBuffering = request.Bool("AllowResponseBuffering") ?? false,
        },
        request.Time("ActivityTimeout"));

    private static TimeoutConfig ReadTimeouts(SectionReader timeouts)
    {
        var defaults = new TimeoutConfig();
        var firstByte = timeouts.Time("FirstByte") ?? defaults.FirstByte;
        return new()
        {
            // The default makes way for a shorter FirstByte, which includes it.
            Connect = timeouts.Time("Connect") ?? (firstByte > TimeSpan.Zero && firstByte < defaults.Connect ? firstByte : defaults.Connect),
            FirstByte = firstByte,
            Idle = timeouts.Time("Idle") ?? defaults.Idle,
            Total = timeouts.Time("Total") ?? defaults.Total,
        };
    }

    private static HttpClientConfig ReadHttpClient(SectionReader client)
    {
        var defaults = new HttpClientConfig();
        return new()
        {
            SslProtocols = ReadSslProtocols(client),
            DangerousAcceptAnyServerCertificate = client.Bool("DangerousAcceptAnyServerCertificate") ?? false,
            TrustedCertificateAuthorities = client.Text("TrustedCertificateAuthorities"),
            ClientCertificate = client.Section("ClientCertificate", certificate => new ClientCertificateConfig
            {
                Path = certificate.Required("Path"),
                KeyPath = certificate.Text("KeyPath"),
                Password = certificate.Text("Password"),
            }),
            MaxConnectionsPerServer = client.Int("MaxConnectionsPerServer"),
            EnableMultipleHttp2Connections = client.Bool("EnableMultipleHttp2Connections") ?? defaults.EnableMultipleHttp2Connections,
            PooledConnectionIdleTimeout = client.Time("PooledConnectionIdleTimeout") ?? defaults.PooledConnectionIdleTimeout,
            PooledConnectionLifetime = client.Time("PooledConnectionLifetime") ?? defaults.PooledConnectionLifetime,
            MaxResponseHeadersLength = client.Int("MaxResponseHeadersLength") ?? defaults.MaxResponseHeadersLength,
            RequestHeaderEncoding = client.Text("RequestHeaderEncoding"),
            ResponseHeaderEncoding = client.Text("ResponseHeaderEncoding"),
            WebProxy = client.Section("WebProxy", web => new WebProxyConfig
            {
                Address = (web.Required("Address").Length > 0 ? web.Uri("Address") : null) ?? new Uri("http://invalid.invalid"),
                BypassOnLocal = web.Bool("BypassOnLocal") ?? false,
                UseDefaultCredentials = web.Bool("UseDefaultCredentials") ?? false,
            }),
        };
    }

    // A list ("Tls12", "Tls13") or one value with commas, as YARP reads them.
    private static SslProtocols? ReadSslProtocols(SectionReader client)
    {
        SslProtocols? protocols = null;
        foreach (var name in client.TextOrTexts("SslProtocols"))
        {
            if (Enum.TryParse<SslProtocols>(name, ignoreCase: true, out var protocol))
                protocols = (protocols ?? SslProtocols.None) | protocol;
            else
                client.Errors.Add($"{client.Path}:SslProtocols: '{name}' is not allowed; it must be Tls12 or Tls13.");
        }
        return protocols;
    }
}
