using Microsoft.AspNetCore.Http;

namespace ProxyKit;

/// <summary>
/// A shared cache in front of the upstream, as RFC 9111 describes it: what the upstream's fields allow is stored, and answers later requests. nginx: <c>proxy_cache</c>.
/// </summary>
public sealed record CacheConfig
{
    /// <summary>Whether responses are stored, and requests answered with them. Default: true.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>The name of the store: <c>Memory</c>, <c>Disk</c>, or one of your own. Default: <c>Memory</c>.</summary>
    public string Store { get; init; } = CacheStores.Memory;

    /// <summary>What tells resources apart.</summary>
    public CacheKeyConfig Key { get; init; } = new();

    /// <summary>
    /// How long a response is fresh that says nothing of it, at least 0. Default: none; then <see cref="HeuristicFraction"/> counts, and what has no <c>Last-Modified</c> either
    /// is not stored. It holds for the statuses that RFC 9110 §15.1 lets caches keep by themselves (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501).
    /// Varnish: <c>default_ttl</c>.
    /// </summary>
    public TimeSpan? DefaultTimeToLive { get; init; }

    /// <summary>
    /// How long responses are fresh that say nothing of it, by status: a code (<c>404</c>) or class (<c>4xx</c>) to a time (<c>00:01:00</c>). Goes before
    /// <see cref="DefaultTimeToLive"/>, and holds for any status from 200 on. Default: none. nginx: <c>proxy_cache_valid</c>.
    /// </summary>
    public ValueMap StatusTimeToLive { get; init; } = ValueMap.Empty;

    /// <summary>
    /// The share of the time since <c>Last-Modified</c> for which a response is fresh that says nothing of it (RFC 9111 §4.2.2), 0 (none) to 1; at most one day. Default: 0.1.
    /// Squid: <c>refresh_pattern</c>.
    /// </summary>
    public double HeuristicFraction { get; init; } = 0.1;

    /// <summary>
    /// The fields that speak to this cache alone, in the order in which they are looked for; the first that is there and valid is believed instead of <c>Cache-Control</c> and <c>Expires</c>
    /// (RFC 9213). Default: <c>CDN-Cache-Control</c>.
    /// </summary>
    public ValueList<string> TargetedFields { get; init; } = ["CDN-Cache-Control"];

    /// <summary>Whether <c>Surrogate-Control</c> (<c>max-age</c>, <c>no-store</c>) is believed where no targeted field is; it is dropped then. Default: false.</summary>
    public bool SurrogateControl { get; init; }

    /// <summary>
    /// The name by which <c>Surrogate-Control</c> may address this cache alone (<c>max-age=60;proxykit</c>), a token; upstreams are told it in <c>Surrogate-Capability</c> where
    /// <see cref="SurrogateControl"/> is true. Default: <c>proxykit</c>. Squid: <c>httpd_accel_surrogate_id</c>.
    /// </summary>
    public string SurrogateName { get; init; } = "proxykit";

    /// <summary>
    /// Whether a response is taken for stale whose <c>Age</c> is no number, has several lines, or the same number twice: caches on its way are broken, and it may be of any age. Default: false; the first
    /// member counts if it is a number, and what is none is ignored (RFC 9111 §5.1).
    /// </summary>
    public bool InvalidAgeIsStale { get; init; }

    /// <summary>
    /// For how long a stale response may be served while it is validated in the background, if it does not say so itself (RFC 5861 §3); at least 0. Default: 0.
    /// nginx: <c>proxy_cache_background_update</c>; Varnish: <c>default_grace</c>.
    /// </summary>
    public TimeSpan StaleWhileRevalidate { get; init; }

    /// <summary>
    /// For how long a stale response may be served when the upstream cannot be reached, breaks off or answers with 500, 502, 503 or 504, if the response does not say so itself
    /// (RFC 5861 §4, RFC 9111 §4.2.4); at least 0. Never where it must be validated. Default: one day. nginx: <c>proxy_cache_use_stale</c>.
    /// </summary>
    public TimeSpan StaleIfError { get; init; } = TimeSpan.FromDays(1);

    /// <summary>
    /// Whether requests with <c>Cache-Control: no-cache</c>, <c>max-age</c>, <c>min-fresh</c> or <c>no-store</c>, or with <c>Pragma: no-cache</c>, get what they ask for. Anybody could
    /// send the upstream all the load then. Default: false; they are answered as if they did not say so. Squid: <c>ignore-reload</c>.
    /// </summary>
    public bool AllowClientRefresh { get; init; }

    /// <summary>Whether responses with <c>Set-Cookie</c> may be stored; the field is stored, and sent to everybody. Default: false; they are not stored. nginx: <c>proxy_ignore_headers Set-Cookie</c>.</summary>
    public bool StoreSetCookie { get; init; }

    /// <summary>When the cache is not looked at: the request goes to the upstream, and the answer is not stored. Default: never. nginx: <c>proxy_cache_bypass</c> with <c>proxy_no_cache</c>.</summary>
    public CacheConditionConfig Bypass { get; init; } = new();

    /// <summary>When a response is not stored, though a stored one may answer. Default: never. nginx: <c>proxy_no_cache</c>.</summary>
    public CacheConditionConfig NoStore { get; init; } = new();

    /// <summary>
    /// Whether concurrent requests for what is not stored wait for one answer (RFC 9111 §4). Default: true. nginx: <c>proxy_cache_lock</c>; Squid: <c>collapsed_forwarding</c>.
    /// </summary>
    public bool CollapseForwarding { get; init; } = true;

    /// <summary>How long a request waits for the header section of another one's answer before it goes to the upstream by itself; positive. Default: 5 seconds. nginx: <c>proxy_cache_lock_timeout</c>.</summary>
    public TimeSpan CollapseTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// For how long a resource is remembered whose response could not be stored: its requests do not wait for each other. At least 0 (not at all). Default: 2 minutes.
    /// Varnish: hit-for-miss.
    /// </summary>
    public TimeSpan UncacheableTimeToLive { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Whether a response that can be stored is received to its end when all who asked for it have gone. Default: true. Squid: <c>quick_abort</c>; nginx: <c>proxy_ignore_client_abort</c>.</summary>
    public bool FinishWithoutClient { get; init; } = true;

    /// <summary>The longest body that is stored, in bytes; positive. Default: 67108864 (64 MB). nginx: <c>proxy_cache_max_range_offset</c> has no such limit; Squid: <c>maximum_object_size</c>.</summary>
    public long MaxEntrySize { get; init; } = 64 * 1024 * 1024;

    /// <summary>How many responses are kept for one resource, told apart by <c>Vary</c>; the oldest make room. 1 to 1000. Default: 32. HAProxy: <c>max-secondary-entries</c>.</summary>
    public int MaxVariants { get; init; } = 32;

    /// <summary>
    /// Whether the order of languages does not count that <c>Accept-Language</c> gives the same weight, where a response varies by it: <c>en, de</c> and <c>de, en</c> get the same answer. RFC 9110
    /// §12.5.4 gives the order no meaning, but many servers go by it. Default: false.
    /// </summary>
    public bool IgnoreLanguageOrder { get; init; }

    /// <summary>How often a resource has to be asked for before it is stored, so that what is asked for once takes no room: 1 to 100. Default: 1. nginx: <c>proxy_cache_min_uses</c>.</summary>
    public int MinUses { get; init; } = 1;

    /// <summary>
    /// Whether a response is not stored when its path ends like a static file (<c>.css</c>, <c>.jpg</c> …) and its <c>Content-Type</c> is another: what looks like
    /// <c>/account/x.css</c> and is somebody's account is for nobody else (web cache deception). Default: true.
    /// </summary>
    public bool CheckContentType { get; init; } = true;

    /// <summary>
    /// Whether a stored response answers only if the request's <c>Accept-Encoding</c> accepts its <c>Content-Encoding</c>, although the response has no <c>Vary</c>; a request without the field accepts any
    /// (RFC 9110 §12.5.3). Default: true.
    /// </summary>
    public bool CheckAcceptEncoding { get; init; } = true;

    /// <summary>The response field with the tags by which stored responses can be purged, separated by commas or spaces; it is dropped. Empty: none. Default: <c>Cache-Tag</c>. Varnish: xkey; Fastly: <c>Surrogate-Key</c>.</summary>
    public string TagField { get; init; } = "Cache-Tag";

    /// <summary>Whether responses carry <c>Cache-Status</c> (RFC 9211): hit or why not, and why a response was not stored. Default: true.</summary>
    public bool CacheStatus { get; init; } = true;
}

/// <summary>What tells resources apart: scheme, host, raw path and query, and what is said here. nginx: <c>proxy_cache_key</c>.</summary>
public sealed record CacheKeyConfig
{
    /// <summary>The only query parameters that count, case-sensitively. Default: null, all do.</summary>
    public ValueList<string>? QueryParameters { get; init; }

    /// <summary>Query parameters that do not count, case-sensitively; one that ends in <c>*</c> stands for all that begin so, such as <c>utm_*</c>. Default: none.</summary>
    public ValueList<string> IgnoredQueryParameters { get; init; } = [];

    /// <summary>Whether the order of query parameters does not count. Default: false.</summary>
    public bool SortQuery { get; init; }

    /// <summary>Whether the host does not count. Default: false.</summary>
    public bool IgnoreHost { get; init; }

    /// <summary>Request fields that count. Default: none; <c>Vary</c> is heeded in any case.</summary>
    public ValueList<string> Headers { get; init; } = [];

    /// <summary>Cookies that count. Default: none.</summary>
    public ValueList<string> Cookies { get; init; } = [];

    /// <summary>What counts besides; in code only. Default: null.</summary>
    public Func<HttpContext, string?>? Custom { get; init; }
}

/// <summary>A condition on requests: it holds when one of its parts does. Default: none has been given, and it never holds.</summary>
public sealed record CacheConditionConfig
{
    /// <summary>Request fields one of which is there.</summary>
    public ValueList<string> Headers { get; init; } = [];

    /// <summary>Cookies one of which is there; a name that ends in <c>*</c> stands for all that begin so, such as <c>wordpress_logged_in_*</c>.</summary>
    public ValueList<string> Cookies { get; init; } = [];

    /// <summary>Query parameters one of which is there, case-sensitively.</summary>
    public ValueList<string> QueryParameters { get; init; } = [];

    /// <summary>Beginnings of paths one of which is that of the request's, without regard to case.</summary>
    public ValueList<string> Paths { get; init; } = [];

    /// <summary>What decides besides; in code only. Default: null.</summary>
    public Func<HttpContext, bool>? When { get; init; }
}

/// <summary>The names of ProxyKit's own stores.</summary>
public static class CacheStores
{
    /// <summary>In this process's memory.</summary>
    public const string Memory = "Memory";

    /// <summary>In files; survives restarts.</summary>
    public const string Disk = "Disk";
}

/// <summary>What the stores of an app may take.</summary>
public sealed class CacheLimits
{
    /// <summary>What stored responses may take of memory, in bytes, with their keys and headers; at least 0. Default: 104857600 (100 MB). Varnish: <c>-s malloc,100m</c>.</summary>
    public long MaxMemory { get; set; } = 100 * 1024 * 1024;

    /// <summary>The folder of the store <c>Disk</c>; made if it is not there, used by one process at a time. Required where a route uses that store. nginx: <c>proxy_cache_path</c>.</summary>
    public string? Directory { get; set; }

    /// <summary>What stored responses may take on disk, in bytes; at least 0. Default: 10737418240 (10 GB). nginx: <c>max_size</c>.</summary>
    public long MaxDisk { get; set; } = 10L * 1024 * 1024 * 1024;
}
