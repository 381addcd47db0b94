namespace ProxyKit;

/// <summary>
/// A route: which requests it takes, and what is done with them. The fluent builder and the JSON configuration both produce this record.
/// Properties that carry a YARP name mean what they mean there.
/// </summary>
public sealed record RouteConfig
{
    /// <summary>The route's name, unique among all routes.</summary>
    public required string RouteId { get; init; }

    /// <summary>The cluster that answers. Required.</summary>
    public string? ClusterId { get; init; }

    /// <summary>Other clusters that take a share of the requests. Default: none; <see cref="ClusterId"/> answers them all.</summary>
    public SplitConfig? Split { get; init; }

    /// <summary>A cluster that is sent a copy of the requests, whose answers nobody sees. Default: none.</summary>
    public MirrorConfig? Mirror { get; init; }

    /// <summary>Whether bodies wait in the proxy for slow clients. Default: where the cluster speaks FastCGI.</summary>
    public BufferingConfig? Buffering { get; init; }

    /// <summary>Whether responses are stored, and answer later requests. Default: they are not.</summary>
    public CacheConfig? Cache { get; init; }

    /// <summary>Whether responses are compressed for clients that accept it. Default: they are not.</summary>
    public CompressionConfig? Compression { get; init; }

    /// <summary>The site, where the cluster speaks FastCGI: which script answers. Default: the application is one script.</summary>
    public FastCgiConfig? FastCgi { get; init; }

    /// <summary>Whether the proxy answers with the site's files, and which script answers for all else. Default: the application gets every request.</summary>
    public SiteConfig? Site { get; init; }

    /// <summary>The files that the proxy answers with before the upstream is asked. Default: none.</summary>
    public StaticFilesConfig? StaticFiles { get; init; }

    /// <summary>Which requests the route takes.</summary>
    public RouteMatch Match { get; init; } = new();

    /// <summary>Breaks ties between routes that match alike: lower goes first. Default: 0.</summary>
    public int? Order { get; init; }

    /// <summary>Name of an ASP.NET Core authorization policy, <c>default</c> or <c>anonymous</c>. Default: none.</summary>
    public string? AuthorizationPolicy { get; init; }

    /// <summary>Name of an ASP.NET Core rate limiter policy, or <c>disable</c>. Default: none.</summary>
    public string? RateLimiterPolicy { get; init; }

    /// <summary>Name of an ASP.NET Core output cache policy. Default: none.</summary>
    public string? OutputCachePolicy { get; init; }

    /// <summary>Name of an ASP.NET Core CORS policy, <c>default</c> or <c>disable</c>. Default: none.</summary>
    public string? CorsPolicy { get; init; }

    /// <summary>Name of an ASP.NET Core request timeout policy, or <c>disable</c>. Needs <c>app.UseRequestTimeouts()</c>. Default: none.</summary>
    public string? TimeoutPolicy { get; init; }

    /// <summary>How long a request may take as a whole; more is 504. Overrides the cluster's <see cref="TimeoutConfig.Total"/>. Default: the cluster's.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Largest request body in bytes; more is 413. -1 lifts the server's limit. Default: the server's own (Kestrel: 30,000,000).</summary>
    public long? MaxRequestBodySize { get; init; }

    /// <summary>What is changed on requests and responses on their way; made with <see cref="TransformBuilder"/>.</summary>
    public ValueList<Transform> Transforms { get; init; } = [];

    /// <summary>
    /// The <c>Upgrade</c> protocols that pass (RFC 9110 §7.8), in lower case. Others are ignored, as RFC 9110 allows. Default: <c>websocket</c>.
    /// </summary>
    public ValueList<string> Upgrades { get; init; } = ["websocket"];

    /// <summary>
    /// Files to answer with when the proxy itself has to answer with an error: status code (<c>502</c>), class (<c>5xx</c>) or <c>default</c> to
    /// path. nginx: <c>error_page</c>. Default: none; the body is empty and <c>UseStatusCodePages</c> can fill it.
    /// </summary>
    public ValueMap ErrorPages { get; init; } = ValueMap.Empty;

    /// <summary>
    /// Errors of the upstream that are answered with the route's <see cref="ErrorPages"/> instead, or without a body where there is no page for them: statuses and ranges of them
    /// from 400 to 599, such as <c>404,500-599</c>. Default: none; they pass as they are. nginx: <c>proxy_intercept_errors</c>, <c>fastcgi_intercept_errors</c>.
    /// </summary>
    public string? InterceptErrors { get; init; }

    /// <summary>
    /// The files that the upstream may answer with by <c>X-Accel-Redirect</c>: the beginning of a path to the folder in which the rest of it is looked up. Default: none; the
    /// field is dropped. nginx: <c>location /protected/ { internal; alias /srv/files/; }</c>.
    /// </summary>
    public ValueMap InternalRedirects { get; init; } = ValueMap.Empty;

    /// <summary>
    /// The folders of the files that the upstream may answer with by <c>X-Sendfile</c>, which has a file's absolute path. Default: none; the field is dropped. Apache:
    /// <c>XSendFilePath</c>.
    /// </summary>
    public ValueList<string> SendFile { get; init; } = [];

    /// <summary>Whether <c>Proxy-Status</c> (RFC 9209) tells clients what went wrong. Default: false.</summary>
    public bool ProxyStatus { get; init; }

    /// <summary>Whether each request writes one line to the log category <c>ProxyKit.AccessLog</c>. Default: false.</summary>
    public bool AccessLog { get; init; }

    /// <summary>The user's own data on the route.</summary>
    public ValueMap Metadata { get; init; } = ValueMap.Empty;
}
