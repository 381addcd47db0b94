using Microsoft.AspNetCore.Http;
using ProxyKit.Configuration;

namespace ProxyKit.SessionAffinity;

/// <summary>A cluster's <c>SessionAffinity</c> in JSON.</summary>
internal static class SessionAffinityReader
{
    public static SessionAffinityConfig Read(SectionReader affinity)
    {
        var defaults = new SessionAffinityConfig();
        affinity.Replaced("Settings", "AffinityKeyName for the name of the header or cookie, and Cookie for the cookie's attributes"); // YARP 1.0
        return new()
        {
            Enabled = affinity.Bool("Enabled") ?? defaults.Enabled,
            Policy = affinity.Text("Policy") ?? defaults.Policy,
            FailurePolicy = affinity.Enum<SessionAffinityFailurePolicy>("FailurePolicy") ?? defaults.FailurePolicy,
            AffinityKeyName = affinity.Text("AffinityKeyName"),
            Secret = affinity.Text("Secret"),
            Cookie = affinity.Section("Cookie", ReadCookie) ?? defaults.Cookie,
            Learn = affinity.Section("Learn", ReadLearn) ?? defaults.Learn,
        };
    }

    private static SessionAffinityCookieConfig ReadCookie(SectionReader cookie)
    {
        var defaults = new SessionAffinityCookieConfig();
        return new()
        {
            Domain = cookie.Text("Domain"),
            Expiration = cookie.Time("Expiration"),
            HttpOnly = cookie.Bool("HttpOnly") ?? defaults.HttpOnly,
            IsEssential = cookie.Bool("IsEssential") ?? defaults.IsEssential,
            MaxAge = cookie.Time("MaxAge"),
            Path = cookie.Text("Path") ?? defaults.Path,
            SameSite = cookie.Enum<SameSiteMode>("SameSite") ?? defaults.SameSite,
            SecurePolicy = cookie.Enum<CookieSecurePolicy>("SecurePolicy") ?? defaults.SecurePolicy,
            SlidingExpiration = cookie.Bool("SlidingExpiration") ?? defaults.SlidingExpiration,
        };
    }

    private static SessionAffinityLearnConfig ReadLearn(SectionReader learn)
    {
        var defaults = new SessionAffinityLearnConfig();
        return new()
        {
            MaxSessions = learn.Int("MaxSessions") ?? defaults.MaxSessions,
            IdleTimeout = learn.Time("IdleTimeout") ?? defaults.IdleTimeout,
        };
    }
}
