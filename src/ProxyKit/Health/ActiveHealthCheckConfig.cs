namespace ProxyKit;

/// <summary>Asks each destination from time to time whether it is well. HAProxy: <c>check</c>; nginx Plus: <c>health_check</c>.</summary>
public sealed record ActiveHealthCheckConfig
{
    /// <summary>Whether destinations are asked. Default: false; the step <c>WithHealthChecks</c> sets it.</summary>
    public bool Enabled { get; init; }

    /// <summary>
    /// What is asked. Default: <see cref="HealthProbe.Http"/>. The step <c>WithHealthChecks</c> chooses <see cref="HealthProbe.Tcp"/> where it is told no path.
    /// </summary>
    public HealthProbe Probe { get; init; }

    /// <summary>From the start of one probe to the start of the next; probes of one destination never overlap. More than 0, at most 24 days. Default: 15 s.
    /// HAProxy: <c>inter</c>.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// The same while a destination is down, or when its last probe contradicts its verdict. Default: 5 s, or <see cref="Interval"/> where that is shorter.
    /// HAProxy: <c>fastinter</c>, <c>downinter</c>.
    /// </summary>
    public TimeSpan? IntervalWhenDown { get; init; }

    /// <summary>
    /// By what share an interval is lengthened or shortened at random, so that destinations and proxies are not probed in step: 0 to 0.5. The second probe of a
    /// destination comes at any time within the interval. Default: 0.1. With 0 nothing is random.
    /// </summary>
    public double Jitter { get; init; } = 0.1;

    /// <summary>How long a probe may take; more is a failure. More than 0, at most 24 days. Default: 10 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Good probes in a row until a destination that was down is healthy; at least 1. The very first probe decides alone. Default: 1. HAProxy: <c>rise</c>.</summary>
    public int Rise { get; init; } = 1;

    /// <summary>
    /// Failed probes in a row until a destination that was healthy is unhealthy; at least 1. The very first probe decides alone. Default: 2. HAProxy: <c>fall</c>;
    /// YARP: the cluster's metadata <c>ConsecutiveFailuresHealthPolicy.Threshold</c>, which JSON may use too.
    /// </summary>
    public int Fall { get; init; } = 2;

    /// <summary>How long the app's start waits for the first probe of every destination before it takes requests; more is a warning. Default: not at all.</summary>
    public TimeSpan StartupWait { get; init; }

    /// <summary>HTTP: the path, after the address's base path. It begins with a slash. Default: <c>/</c>; with FastCGI there is none, and it is <c>ping.path</c>, <c>pm.status_path</c> or a script's file.</summary>
    public string? Path { get; init; }

    /// <summary>HTTP: the query, with or without its question mark. Default: none.</summary>
    public string? Query { get; init; }

    /// <summary>HTTP: the method. Default: GET.</summary>
    public string Method { get; init; } = "GET";

    /// <summary>HTTP and gRPC: further request headers. Default: <c>User-Agent: ProxyKit-HealthCheck</c>.</summary>
    public ValueMap Headers { get; init; } = ValueMap.Empty;

    /// <summary>HTTP and gRPC: the <c>Host</c> header, and the TLS server name with it. Default: what requests to the destination have.</summary>
    public string? Host { get; init; }

    /// <summary>HTTP: statuses that are well, single or as ranges: <c>200-299,301</c>. Default: 200-299.</summary>
    public string ExpectedStatus { get; init; } = "200-299";

    /// <summary>HTTP: a text that stands in the first 64 KB of the body, which is read as UTF-8. Default: the body is not read.</summary>
    public string? ExpectedBody { get; init; }

    /// <summary>HTTP: a regular expression that matches there, within a second. Excludes <see cref="ExpectedBody"/>. Default: the body is not read.</summary>
    public string? ExpectedBodyPattern { get; init; }

    /// <summary>HTTP: the version, 1.0, 1.1, 2 or 3. Default: that of requests, <see cref="HttpRequestConfig.Version"/>.</summary>
    public Version? Version { get; init; }

    /// <summary>HTTP: whether another version may be negotiated. Default: as for requests, <see cref="HttpRequestConfig.VersionPolicy"/>.</summary>
    public HttpVersionPolicy? VersionPolicy { get; init; }

    /// <summary>gRPC: the service that is asked for. Default: none, which asks for the server as a whole.</summary>
    public string? GrpcService { get; init; }
}

/// <summary>What an active health check asks.</summary>
public enum HealthProbe
{
    /// <summary>A request, whose status and body are looked at. HAProxy: <c>option httpchk</c>.</summary>
    Http,

    /// <summary>Whether a connection is accepted. HAProxy: <c>check</c> without more.</summary>
    Tcp,

    /// <summary>The gRPC health checking protocol: <c>grpc.health.v1.Health/Check</c> has to answer SERVING. Envoy: <c>grpc_health_check</c>.</summary>
    Grpc,
}
