namespace ProxyKit;

/// <summary>What holds for all routes of an app.</summary>
public sealed class ReverseProxyOptions
{
    /// <summary>
    /// The peers whose forwarding headers (<c>X-Forwarded-*</c>, <c>Forwarded</c>, <c>X-Real-IP</c> …) are believed and appended to: addresses
    /// (<c>10.0.0.7</c>), networks (<c>10.0.0.0/8</c>, <c>fd00::/8</c>) and <c>unix</c> for peers on a Unix socket. From everyone else they are dropped.
    /// Default: nobody. nginx: <c>set_real_ip_from</c>; Caddy: <c>trusted_proxies</c>.
    /// </summary>
    public IList<string> TrustedProxies { get; } = [];

    /// <summary>
    /// This proxy's name in <c>Via</c> (RFC 9110 §7.6.3) and <c>Proxy-Status</c>, a token. A request that already carries it is a loop: 508.
    /// So it must differ between proxies that may forward to each other. Default: <c>proxykit-</c> and eight random hex digits, new at each start.
    /// </summary>
    public string Pseudonym { get; set; } = $"proxykit-{Random.Shared.Next():x8}";

    /// <summary>Response headers that tell strangers what runs behind the proxy; they are dropped.
    /// Default: <c>Server</c>, <c>X-Powered-By</c>, <c>X-AspNet-Version</c>, <c>X-AspNetMvc-Version</c>.</summary>
    public ISet<string> HiddenResponseHeaders { get; } =
        new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "Server", "X-Powered-By", "X-AspNet-Version", "X-AspNetMvc-Version" };

    /// <summary>
    /// What becomes of request headers whose names hold an underscore or a dot; some servers confuse <c>X_User</c> with <c>X-User</c>.
    /// Default: <see cref="UnderscoreHeaders.Keep"/>. nginx: <c>underscores_in_headers</c>.
    /// </summary>
    public UnderscoreHeaders UnderscoreHeaders { get; set; }

    /// <summary>Percent-encoded characters that are refused with 400 in a request's path. Default: none.
    /// Traefik: <c>encodedCharacters.allowEncoded…</c>.</summary>
    public EncodedCharacters RejectedEncodedCharacters { get; set; }

    /// <summary>How the path is sent on. Default: <see cref="PathForwarding.Raw"/>.</summary>
    public PathForwarding PathForwarding { get; set; }

    /// <summary>
    /// Whether interim responses (102, 103 Early Hints and others but 100 and 101; RFC 9110 §15.2) are passed on, where that can be done: from an upstream over HTTP/1.1 in clear text to a client over
    /// HTTP/1.1. Turn it off for clients that take the first response for the last. Default: true. nginx: <c>early_hints</c>.
    /// </summary>
    public bool RelayInterimResponses { get; set; } = true;

    /// <summary>What all buffered bodies may take together, and where they wait.</summary>
    public BufferingLimits Buffering { get; } = new();

    /// <summary>What stored responses may take, and where they are on disk.</summary>
    public CacheLimits Cache { get; } = new();

    /// <summary>What the log is not to advise about when the app starts. Default: none.</summary>
    public ISet<ProxyAdvice> SilencedAdvice { get; } = new HashSet<ProxyAdvice>();

    /// <summary>
    /// Sets Kestrel to read and write header bytes above 0x7F one to one (latin-1), to keep the names in <c>Connection</c> (fields of one hop, which are
    /// dropped), to send no <c>Server</c> header of its own, and to keep up to 128 KB of a response for a client that is slower (<c>SocketTransportOptions.MaxWriteBufferSize</c>, unless that is
    /// set to something else than its default, 64 KB). It is the whole server's setting, not only proxied routes'. Default: true.
    /// </summary>
    public bool ConfigureKestrel { get; set; } = true;
}

/// <summary>What becomes of request headers with an underscore or a dot in their name.</summary>
public enum UnderscoreHeaders
{
    /// <summary>They are forwarded.</summary>
    Keep,

    /// <summary>They are dropped.</summary>
    Drop,

    /// <summary>The request is answered with 400.</summary>
    Reject,
}

/// <summary>How the request's path reaches the upstream.</summary>
public enum PathForwarding
{
    /// <summary>
    /// Byte for byte as the client sent it, as long as it means what routing and authorization saw; otherwise (dot segments, backslashes, a path
    /// that a middleware changed) as <see cref="Normalized"/>.
    /// </summary>
    Raw,

    /// <summary>As routing saw it: dot segments resolved, percent-encoding made canonical (RFC 3986 §6.2.2).</summary>
    Normalized,
}

/// <summary>Characters whose percent-encoded form can be refused in paths.</summary>
[Flags]
public enum EncodedCharacters
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary><c>%2F</c></summary>
    Slash = 1,

    /// <summary><c>%5C</c></summary>
    Backslash = 2,

    /// <summary><c>%3B</c></summary>
    Semicolon = 4,

    /// <summary><c>%25</c></summary>
    Percent = 8,

    /// <summary><c>%3F</c></summary>
    QuestionMark = 16,

    /// <summary><c>%23</c></summary>
    Hash = 32,
}
