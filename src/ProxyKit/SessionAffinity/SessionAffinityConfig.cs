using Microsoft.AspNetCore.Http;

namespace ProxyKit;

/// <summary>
/// Sends the requests of one session to one destination. The names are YARP's where it has them. nginx: <c>sticky</c>; HAProxy: <c>cookie</c>; AWS: stickiness.
/// </summary>
/// <remarks>
/// A destination that drains, or has weight 0, still serves its sessions and gets no new ones. A key that a client made up can name no other than the cluster's
/// own destinations.
/// </remarks>
public sealed record SessionAffinityConfig
{
    /// <summary>Whether sessions stay with their destination. Default: false; the step <c>WithSessionAffinity</c> switches it on.</summary>
    public bool Enabled { get; init; }

    /// <summary>How a session is told: one of <see cref="SessionAffinityPolicies"/>, or a policy of your own. Default: <c>HashCookie</c>.</summary>
    public string Policy { get; init; } = SessionAffinityPolicies.HashCookie;

    /// <summary>What happens when the session's destination cannot be used. Default: <see cref="SessionAffinityFailurePolicy.Redistribute"/>.</summary>
    public SessionAffinityFailurePolicy FailurePolicy { get; init; }

    /// <summary>
    /// The cookie's or header's name. With <c>Learn</c> the application's own session cookie. Default: a cookie <c>.ProxyKit.Affinity.</c> and a hash of the cluster's
    /// name, so that clusters on one host do not clash; required with <c>CustomHeader</c> and <c>Learn</c>.
    /// </summary>
    public string? AffinityKeyName { get; init; }

    /// <summary>
    /// Makes the keys of <c>HashCookie</c> and <c>CustomHeader</c> an HMAC, which nobody can compute from a guessed address; at least 16 characters, the same on all
    /// proxy instances. Default: none; the key is a hash then. Caddy: <c>lb_policy cookie</c>'s secret.
    /// </summary>
    public string? Secret { get; init; }

    /// <summary>The cookie, with policies that set one.</summary>
    public SessionAffinityCookieConfig Cookie { get; init; } = new();

    /// <summary>The memory of the policy <c>Learn</c>.</summary>
    public SessionAffinityLearnConfig Learn { get; init; } = new();

    /// <summary>Leaves out the secret.</summary>
    public override string ToString() => $"{nameof(SessionAffinityConfig)} {{ Enabled = {Enabled}, Policy = {Policy}, AffinityKeyName = {AffinityKeyName} }}";
}

/// <summary>What happens when the destination that a session belongs to cannot be used.</summary>
public enum SessionAffinityFailurePolicy
{
    /// <summary>Another destination is chosen, and the session stays there. HAProxy: <c>option redispatch</c>.</summary>
    Redistribute,

    /// <summary>503: for sessions that are worthless elsewhere. The request is not retried on another destination either.</summary>
    Return503Error,
}

/// <summary>The cookie that carries a session's key (RFC 6265 §5.2).</summary>
public sealed record SessionAffinityCookieConfig
{
    /// <summary>The hosts that get it. Default: only the one that set it.</summary>
    public string? Domain { get; init; }

    /// <summary>When it expires, counted from the moment it is set (<c>Expires</c>). Default: none; it ends with the browser's session.</summary>
    public TimeSpan? Expiration { get; init; }

    /// <summary>Whether it is kept from scripts. Default: true.</summary>
    public bool HttpOnly { get; init; } = true;

    /// <summary>
    /// Whether it is set without consent, where the app uses ASP.NET Core's cookie policy. Default: true: a cookie for load balancing that ends with the session
    /// is one that the service cannot do without.
    /// </summary>
    public bool IsEssential { get; init; } = true;

    /// <summary>How long it lives, counted from the moment it is set (<c>Max-Age</c>). Default: none; it ends with the browser's session.</summary>
    public TimeSpan? MaxAge { get; init; }

    /// <summary>The paths that it is sent to. Default: /.</summary>
    public string Path { get; init; } = "/";

    /// <summary>Whether requests that other sites cause carry it. Default: <see cref="SameSiteMode.Lax"/>; for pages embedded in other sites <c>None</c>.</summary>
    public SameSiteMode SameSite { get; init; } = SameSiteMode.Lax;

    /// <summary>Whether it is sent over HTTPS only. Default: <see cref="CookieSecurePolicy.SameAsRequest"/>: if it was set over HTTPS.</summary>
    public CookieSecurePolicy SecurePolicy { get; init; } = CookieSecurePolicy.SameAsRequest;

    /// <summary>
    /// Whether each response sets it anew, so that <see cref="MaxAge"/> and <see cref="Expiration"/> count from the last request. Default: false. HAProxy: <c>maxidle</c>.
    /// </summary>
    public bool SlidingExpiration { get; init; }
}

/// <summary>What the policy <c>Learn</c> remembers, in the memory of this process.</summary>
public sealed record SessionAffinityLearnConfig
{
    /// <summary>
    /// How many sessions are remembered, 1 to 10,000,000; of more, those that came once are forgotten before those that came back. One takes about 200 bytes.
    /// Default: 100000.
    /// </summary>
    public int MaxSessions { get; init; } = 100_000;

    /// <summary>How long a session without requests is remembered; not shorter than the application does. Default: 00:30:00. nginx: <c>timeout</c>.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(30);
}
