using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.SessionAffinity;

/// <summary>Carries keys in a cookie that the proxy sets, and keeps from the upstream.</summary>
internal class CookieKeys(ClusterConfig cluster, TimeProvider time) : SessionAffinityKeys(cluster)
{
    // None of ours is that long; what is need not be looked at.
    private const int MaxLength = 1024;

    private readonly string _name = cluster.SessionAffinity!.AffinityKeyName ?? DefaultName(cluster.ClusterId);

    // The hash keeps internal names internal, and is a token whatever the cluster's name is.
    public static string DefaultName(string clusterId) =>
        ".ProxyKit.Affinity." + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(clusterId.ToUpperInvariant())).AsSpan(0, 4));

    public override string? Find(HttpContext context)
    {
        var value = CookieHeader.Find(context.Request.Headers.Cookie, _name);
        return value.Length switch
        {
            0 => null,
            > MaxLength => "",
            _ => Decode(value.ToString()),
        };
    }

    public override void Send(HttpContext context, string key, bool isCurrent)
    {
        if (!isCurrent || Config.Cookie.SlidingExpiration)
            context.Response.Cookies.Append(_name, Encode(key), Options(context));
    }

    internal override void Hide(PreparedRequest request)
    {
        var rest = CookieHeader.Remove(request.Headers.Get("Cookie"), _name);
        if (rest.Count == 0)
            request.Headers.Remove("Cookie");
        else
            request.Headers.Set("Cookie", rest);
    }

    // The answer is not begun yet, and what stands on it will be cleared.
    internal override void Forget(HttpContext context) => context.Response.OnStarting(() =>
    {
        context.Response.Cookies.Delete(_name, Options(context));
        return Task.CompletedTask;
    });

    protected virtual string Decode(string value) => value;

    protected virtual string Encode(string key) => key;

    private CookieOptions Options(HttpContext context)
    {
        var cookie = Config.Cookie;
        return new()
        {
            Domain = cookie.Domain,
            // YARP's documentation has one without a slash, which browsers would ignore.
            Path = cookie.Path.StartsWith('/') ? cookie.Path : "/" + cookie.Path,
            HttpOnly = cookie.HttpOnly,
            SameSite = cookie.SameSite,
            Secure = cookie.SecurePolicy == CookieSecurePolicy.Always || (cookie.SecurePolicy == CookieSecurePolicy.SameAsRequest && context.Request.IsHttps),
            MaxAge = cookie.MaxAge,
            Expires = cookie.Expiration is { } expiration ? time.GetUtcNow() + expiration : null,
            IsEssential = cookie.IsEssential,
        };
    }
}
