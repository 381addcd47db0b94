using Microsoft.AspNetCore.Http;
using ProxyKit.Configuration;
using ProxyKit.Forwarding;

namespace ProxyKit.SessionAffinity;

/// <summary>The part of validation that concerns session affinity.</summary>
internal static class SessionAffinityValidator
{
    private const int MaxSessions = 10_000_000;

    private static readonly System.Buffers.SearchValues<char> s_notInAttributes = System.Buffers.SearchValues.Create([';', ',', .. Enumerable.Range(0, 33).Select(c => (char)c), '\u007f']);

    public static void Validate(string where, SessionAffinityConfig? config, AffinityServices services, List<string> errors)
    {
        if (config is not { Enabled: true })
            return;
        var policy = services.Find(config.Policy);
        if (policy is null)
            errors.Add($"{where}: there is no session affinity policy '{config.Policy}'{Nearest.Hint(config.Policy, services.PolicyNames)}");
        if (policy is EncryptedCookiePolicy { HasDataProtection: false })
            errors.Add($"{where}: SessionAffinity.Policy 'Cookie' encrypts with data protection: call builder.Services.AddDataProtection(), or take HashCookie, which needs no keys.");
        ValidateName(where, config, policy, errors);
        if (config.Secret is { } secret)
        {
            if (secret.Length < 16)
                errors.Add($"{where}: SessionAffinity.Secret has {secret.Length} characters; it must have at least 16.");
            if (policy is EncryptedCookiePolicy or ArrCookiePolicy or LearnPolicy)
                errors.Add($"{where}: SessionAffinity.Secret has no effect with the policy '{config.Policy}'; it is for HashCookie and CustomHeader.");
        }
        ValidateCookie(where, config.Cookie, errors);
        ValidateLearn(where, config, policy, errors);
    }

    private static void ValidateName(string where, SessionAffinityConfig config, ISessionAffinityPolicy? policy, List<string> errors)
    {
        if (config.AffinityKeyName is not { } name)
        {
            if (policy is CustomHeaderPolicy or LearnPolicy)
                errors.Add($"{where}: SessionAffinity.AffinityKeyName is missing; the policy '{config.Policy}' needs the name of {(policy is LearnPolicy ? "the application's session cookie" : "a header")}.");
        }
        else if (!Tokens.IsToken(name))
        {
            errors.Add($"{where}: SessionAffinity.AffinityKeyName '{name}' is not a token (letters, digits and !#$%&'*+-.^_`|~).");
        }
        else if (policy is CustomHeaderPolicy && (HeaderRules.ForRequest(name) != HeaderRule.Forward || HeaderRules.ForResponse(name) != HeaderRule.Forward || IsTaken(name)))
        {
            errors.Add($"{where}: SessionAffinity.AffinityKeyName '{name}' is a header with a meaning of its own; it must be one that nothing else uses, such as X-Session-Affinity.");
        }
    }

    private static bool IsTaken(string name) =>
        name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase)
        || new[] { "Cookie", "Authorization", "Accept", "Date", "Server", "Cache-Control" }.Contains(name, StringComparer.OrdinalIgnoreCase);

    private static void ValidateCookie(string where, SessionAffinityCookieConfig cookie, List<string> errors)
    {
        foreach (var (name, value) in new[] { (nameof(cookie.Domain), cookie.Domain), (nameof(cookie.Path), cookie.Path) })
        {
            if (value is not null && (value.Length == 0 || value.AsSpan().ContainsAny(s_notInAttributes)))
                errors.Add($"{where}: SessionAffinity.Cookie.{name} '{value}' must not be empty, nor hold a space, a control, a comma or a semicolon.");
        }
        foreach (var (name, value) in new[] { (nameof(cookie.Expiration), cookie.Expiration), (nameof(cookie.MaxAge), cookie.MaxAge) })
        {
            if (value <= TimeSpan.Zero)
                errors.Add($"{where}: SessionAffinity.Cookie.{name} is {value}; it must be positive.");
        }
        if (cookie is { SlidingExpiration: true, Expiration: null, MaxAge: null })
            errors.Add($"{where}: SessionAffinity.Cookie.SlidingExpiration needs MaxAge or Expiration; without them the cookie lives as long as the browser's session.");
        if (cookie is { SameSite: SameSiteMode.None, SecurePolicy: CookieSecurePolicy.None })
            errors.Add($"{where}: SessionAffinity.Cookie.SameSite is None with SecurePolicy None; browsers refuse that. SecurePolicy must be Always or SameAsRequest.");
    }

    private static void ValidateLearn(string where, SessionAffinityConfig config, ISessionAffinityPolicy? policy, List<string> errors)
    {
        if (config.Learn.MaxSessions is < 1 or > MaxSessions)
            errors.Add($"{where}: SessionAffinity.Learn.MaxSessions is {config.Learn.MaxSessions}; it must be 1 to {MaxSessions}.");
        if (config.Learn.IdleTimeout <= TimeSpan.Zero)
            errors.Add($"{where}: SessionAffinity.Learn.IdleTimeout is {config.Learn.IdleTimeout}; it must be positive.");
        if (config.Learn != new SessionAffinityLearnConfig() && policy is not (LearnPolicy or null))
            errors.Add($"{where}: SessionAffinity.Learn has no effect with the policy '{config.Policy}'; it is for Learn.");
    }
}
