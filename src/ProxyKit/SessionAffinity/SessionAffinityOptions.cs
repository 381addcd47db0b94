using Microsoft.AspNetCore.Http;

namespace ProxyKit;

/// <summary>Settings of session affinity; see <see cref="SessionAffinityConfig"/>.</summary>
public sealed class SessionAffinityOptions
{
    internal SessionAffinityOptions(SessionAffinityConfig config)
    {
        Policy = config.Policy;
        FailurePolicy = config.FailurePolicy;
        AffinityKeyName = config.AffinityKeyName;
        Secret = config.Secret;
        Cookie = new(config.Cookie);
        Learn = new(config.Learn);
    }

    /// <inheritdoc cref="SessionAffinityConfig.Policy"/>
    public string Policy { get; set; }

    /// <inheritdoc cref="SessionAffinityConfig.FailurePolicy"/>
    public SessionAffinityFailurePolicy FailurePolicy { get; set; }

    /// <inheritdoc cref="SessionAffinityConfig.AffinityKeyName"/>
    public string? AffinityKeyName { get; set; }

    /// <inheritdoc cref="SessionAffinityConfig.Secret"/>
    public string? Secret { get; set; }

    /// <inheritdoc cref="SessionAffinityConfig.Cookie"/>
    public SessionAffinityCookieOptions Cookie { get; }

    /// <inheritdoc cref="SessionAffinityConfig.Learn"/>
    public SessionAffinityLearnOptions Learn { get; }

    internal SessionAffinityConfig ToConfig() => new()
    {
        Enabled = true,
        Policy = Policy,
        FailurePolicy = FailurePolicy,
        AffinityKeyName = AffinityKeyName,
        Secret = Secret,
        Cookie = Cookie.ToConfig(),
        Learn = new() { MaxSessions = Learn.MaxSessions, IdleTimeout = Learn.IdleTimeout },
    };
}

/// <summary>Settings of the affinity cookie; see <see cref="SessionAffinityCookieConfig"/>.</summary>
public sealed class SessionAffinityCookieOptions
{
    internal SessionAffinityCookieOptions(SessionAffinityCookieConfig config)
    {
        Domain = config.Domain;
        Expiration = config.Expiration;
        HttpOnly = config.HttpOnly;
        IsEssential = config.IsEssential;
        MaxAge = config.MaxAge;
        Path = config.Path;
        SameSite = config.SameSite;
        SecurePolicy = config.SecurePolicy;
        SlidingExpiration = config.SlidingExpiration;
    }

    /// <inheritdoc cref="SessionAffinityCookieConfig.Domain"/>
    public string? Domain { get; set; }

    /// <inheritdoc cref="SessionAffinityCookieConfig.Expiration"/>
    public TimeSpan? Expiration { get; set; }

    /// <inheritdoc cref="SessionAffinityCookieConfig.HttpOnly"/>
    public bool HttpOnly { get; set; }

    /// <inheritdoc cref="SessionAffinityCookieConfig.IsEssential"/>
    public bool IsEssential { get; set; }

    /// <inheritdoc cref="SessionAffinityCookieConfig.MaxAge"/>
    public TimeSpan? MaxAge { get; set; }

    /// <inheritdoc cref="SessionAffinityCookieConfig.Path"/>
    public string Path { get; set; }

    /// <inheritdoc cref="SessionAffinityCookieConfig.SameSite"/>
    public SameSiteMode SameSite { get; set; }

    /// <inheritdoc cref="SessionAffinityCookieConfig.SecurePolicy"/>
    public CookieSecurePolicy SecurePolicy { get; set; }

    /// <inheritdoc cref="SessionAffinityCookieConfig.SlidingExpiration"/>
    public bool SlidingExpiration { get; set; }

    internal SessionAffinityCookieConfig ToConfig() => new()
    {
        Domain = Domain,
        Expiration = Expiration,
        HttpOnly = HttpOnly,
        IsEssential = IsEssential,
        MaxAge = MaxAge,
        Path = Path,
        SameSite = SameSite,
        SecurePolicy = SecurePolicy,
        SlidingExpiration = SlidingExpiration,
    };
}

/// <summary>Settings of what the policy <c>Learn</c> remembers; see <see cref="SessionAffinityLearnConfig"/>.</summary>
public sealed class SessionAffinityLearnOptions
{
    internal SessionAffinityLearnOptions(SessionAffinityLearnConfig config)
    {
        MaxSessions = config.MaxSessions;
        IdleTimeout = config.IdleTimeout;
    }

    /// <inheritdoc cref="SessionAffinityLearnConfig.MaxSessions"/>
    public int MaxSessions { get; set; }

    /// <inheritdoc cref="SessionAffinityLearnConfig.IdleTimeout"/>
    public TimeSpan IdleTimeout { get; set; }
}
