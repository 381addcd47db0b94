
namespace ProxyKit;

/// <summary>A cluster: equivalent destinations, and how they are talked to.</summary>
public sealed record ClusterConfig
{
    /// <summary>The cluster's name, unique among all clusters.</summary>
    public required string ClusterId { get; init; }

    /// <summary>The destinations among which requests are spread.</summary>
    public ValueList<DestinationConfig> Destinations { get; init; } = [];

    /// <summary>How many requests the destinations are sent at once, and how the others wait. Default: none; each destination has its own limit, if any.</summary>
    public ConcurrencyLimitsConfig? Limits { get; init; }

    /// <summary>
    /// How a destination is chosen: one of <see cref="LoadBalancingPolicies"/>, or a policy of your own. Default: <c>PowerOfTwoChoices</c>.
    /// </summary>
    public string LoadBalancingPolicy { get; init; } = LoadBalancingPolicies.PowerOfTwoChoices;

    /// <summary>What the policy <see cref="LoadBalancingPolicies.Hash"/> goes by. Default: the client's address.</summary>
    public HashConfig? Hash { get; init; }

    /// <summary>The connections to the destinations.</summary>
    public HttpClientConfig HttpClient { get; init; } = new();

    /// <summary>The connections to destinations that speak FastCGI. Default: one for each request, as many as there are requests.</summary>
    public FastCgiConnectionConfig? FastCgi { get; init; }

    /// <summary>Whether the requests of one session go to one destination. Default: null; each request may go to another.</summary>
    public SessionAffinityConfig? SessionAffinity { get; init; }

    /// <summary>The requests to the destinations.</summary>
    public HttpRequestConfig HttpRequest { get; init; } = new();

    /// <summary>
    /// Whether the cluster survives destinations that are down without further settings, as nginx does. With more than one destination, passive health checks are on
    /// (<see cref="PassiveHealthCheckConfig.Enabled"/>), and a request that could not be sent has one further attempt, on another destination; retries, hedging or a
    /// pipeline in <see cref="Resilience"/> replace that attempt. Default: true.
    /// </summary>
    public bool Failover { get; init; } = true;

    /// <summary>How it is found out which destinations can be used.</summary>
    public HealthCheckConfig HealthCheck { get; init; } = new();

    /// <summary>What is done when a destination does not answer as it should. Default: null; a request has one attempt, and a second one as <see cref="Failover"/> says.</summary>
    public ResilienceConfig? Resilience { get; init; }

    /// <summary>When a destination that fails is left alone for a while. Default: never.</summary>
    public CircuitBreakerConfig? CircuitBreaker { get; init; }

    /// <summary>How the destinations that are configured become the real ones. Default: null: they are the real ones.</summary>
    public DiscoveryConfig? Discovery { get; init; }

    /// <summary>How long each phase of a request may take.</summary>
    public TimeoutConfig Timeouts { get; init; } = new();

    /// <summary>The user's own data on the cluster.</summary>
    public ValueMap Metadata { get; init; } = ValueMap.Empty;
}

/// <summary>One server that answers for a cluster.</summary>
public sealed record DestinationConfig
{
    /// <summary>The destination's name, unique in its cluster. Default: its address.</summary>
    public string? Name { get; init; }

    /// <summary>
    /// <c>http://host:port/base</c>, <c>https://host:port/base</c> or <c>http://unix:/run/app.sock</c>, where a base path goes in front of the request's path; or
    /// <c>fastcgi://host:9000</c> or <c>fastcgi://unix:/run/php-fpm.sock</c>. All destinations of a cluster speak FastCGI, or none does.
    /// </summary>
    public required string Address { get; init; }

    /// <summary>
    /// Where active health checks ask instead: an address such as <c>http://host:8081</c>, for an app whose health is on a port of its own; <c>fastcgi://</c> where
    /// <see cref="Address"/> is. Default: <see cref="Address"/>.
    /// </summary>
    public string? Health { get; init; }

    /// <summary>The <c>Host</c> header that the destination is sent, and the TLS server name with it. Default: the address's host.</summary>
    public string? Host { get; init; }

    /// <summary>
    /// Its share of the requests in relation to the other destinations': 0 to 1,000. 0 takes no new requests, only those of sessions that belong to it. Default: 1.
    /// nginx, HAProxy: <c>weight</c>.
    /// </summary>
    public int Weight { get; init; } = 1;

    /// <summary>Whether it is used only while no other destination is available. Default: false. nginx, HAProxy: <c>backup</c>.</summary>
    public bool Backup { get; init; }

    /// <summary>How many requests it is sent at once, at least 1; others wait, see <see cref="ClusterConfig.Limits"/>. Default: the cluster's, or no limit. nginx: <c>max_conns</c>; HAProxy: <c>maxconn</c>.</summary>
    public int? MaxConcurrentRequests { get; init; }

    /// <summary>The user's own data on the destination.</summary>
    public ValueMap Metadata { get; init; } = ValueMap.Empty;
}

/// <summary>The HTTP version of requests to destinations.</summary>
public sealed record HttpRequestConfig
{
    /// <summary>
    /// 1.0, 1.1, 2 or 3. Default: whatever fits: HTTP/2 or 1.1 by ALPN over TLS, HTTP/1.1 in clear text, and HTTP/2 with prior knowledge (h2c) for gRPC.
    /// </summary>
    public Version? Version { get; init; }

    /// <summary>Whether another version may be negotiated. Default: <see cref="HttpVersionPolicy.RequestVersionOrLower"/>.
    /// For h2c: version 2 with <see cref="HttpVersionPolicy.RequestVersionExact"/>.</summary>
    public HttpVersionPolicy? VersionPolicy { get; init; }

    /// <summary>Whether middlewares and servers may buffer the response. Default: false, so that what the upstream sends is flushed at once.</summary>
    public bool AllowResponseBuffering { get; init; }
}

/// <summary>
/// The one model of time. Each limit is its own; none caps another silently. Exceeding one is 504 (RFC 9110 §15.6.5) before the response has started,
/// and an abort after. <see cref="Timeout.InfiniteTimeSpan"/> switches a limit off.
/// </summary>
public sealed record TimeoutConfig
{
    /// <summary>Until a new connection stands, TLS included. Default: 15 s, or <see cref="FirstByte"/> where that is shorter. nginx: <c>proxy_connect_timeout</c>.</summary>
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// From handing the request to the connection pool (connecting included, so it must not be shorter than <see cref="Connect"/>) until the response's headers are
    /// there; while a request body flows the clock starts anew. Default: 100 s. nginx: <c>proxy_read_timeout</c>.
    /// </summary>
    public TimeSpan FirstByte { get; init; } = TimeSpan.FromSeconds(100);

    /// <summary>Between two reads or writes of a body or an upgraded connection, in either direction. Default: 100 s. YARP: <c>ActivityTimeout</c>.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(100);

    /// <summary>The whole request up to the last byte of its response, with response buffering up to the upstream's last; upgraded connections are free of it. Default: infinite. YARP: a route's <c>Timeout</c>.</summary>
    public TimeSpan Total { get; init; } = Timeout.InfiniteTimeSpan;
}
