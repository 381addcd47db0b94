using System.Buffers;
using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.StaticSites;

/// <summary>What <c>Cache-Control</c> says about a file (RFC 9111 §5.2, <c>immutable</c>: RFC 8246).</summary>
internal sealed class AssetCaching(TimeSpan maxAge)
{
    private static readonly SearchValues<char> s_hexDigits = SearchValues.Create("0123456789abcdefABCDEF");
    private static readonly SearchValues<char> s_base64Url = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    private readonly string _asset = Kept("public", maxAge), _versioned = Kept("public", maxAge, ", immutable");
    private readonly string _private = Kept("private", maxAge), _privateVersioned = Kept("private", maxAge, ", immutable");

    /// <param name="contentType">The file's.</param>
    /// <param name="name">The file's.</param>
    /// <param name="query">The request's, with its question mark.</param>
    /// <param name="isPrivate">Whether it is given to a user who is signed in, and perhaps to nobody else.</param>
    public string For(string contentType, string name, string query, bool isPrivate)
    {
        if (!IsAsset(contentType))
            return "no-cache";
        return (IsVersioned(name, query), isPrivate) switch
        {
            (true, true) => _privateVersioned,
            (true, false) => _versioned,
            (false, true) => _private,
            (false, false) => _asset,
        };
    }

    /// <summary>Whether an answer is for one user: a shared cache would hand out what was meant for one (RFC 9111 §3.5).</summary>
    public static bool IsPrivate(HttpContext context) => context.User.Identity is { IsAuthenticated: true };

    /// <summary>Whether the URL of a file will never have other content.</summary>
    public static bool IsVersioned(string name, string query) => HasVersion(query) || HasHash(name);

    public static string Kept(string by, TimeSpan maxAge, string more = "") =>
        maxAge == TimeSpan.Zero ? "no-cache" : string.Create(CultureInfo.InvariantCulture, $"{by}, max-age={(long)maxAge.TotalSeconds}{more}");

    public static bool IsAsset(string contentType) =>
        contentType.StartsWith("image/", StringComparison.Ordinal) || contentType.StartsWith("font/", StringComparison.Ordinal)
        || contentType.StartsWith("audio/", StringComparison.Ordinal) || contentType.StartsWith("video/", StringComparison.Ordinal)
        || contentType.StartsWith("text/css", StringComparison.Ordinal) || contentType.StartsWith("text/javascript", StringComparison.Ordinal)
        || contentType is "application/wasm" or "application/font-woff" or "application/x-font-ttf" or "application/vnd.ms-fontobject";

    // WordPress: ?ver=6.4.1; others: ?v=12, and a bare ?1718000000. A query of other names is as likely a campaign's.
    private static bool HasVersion(string query) =>
        query.Length > 1
        && (query.StartsWith("?ver=", StringComparison.Ordinal) || query.StartsWith("?v=", StringComparison.Ordinal) || query.StartsWith("?version=", StringComparison.Ordinal)
            || !query.AsSpan(1).ContainsAnyExcept(s_hexDigits));

    // app.3f2a9c1b.js, index-BkV3aXyz.css: a part before the extension of eight characters or more that holds digits and letters.
    private static bool HasHash(string name)
    {
        var rest = Path.GetFileNameWithoutExtension(name.AsSpan());
        var start = rest.LastIndexOfAny(".-_") + 1;
        var part = rest[start..];
        if (start > 0 && part.Length >= 8 && part.ContainsAnyInRange('0', '9') && !part.ContainsAnyExceptInRange('0', 'z')
            && (part.ContainsAnyInRange('a', 'z') || part.ContainsAnyInRange('A', 'Z')))
            return true;
        // Vite's are eight characters of base64url, which has - and _ as well. With less than all three kinds it may be words.
        return rest.Length > 9 && rest[^9] is '-' or '.' or '_' && rest[^8..] is var hash && !hash.ContainsAnyExcept(s_base64Url)
            && hash.ContainsAnyInRange('0', '9') && hash.ContainsAnyInRange('a', 'z') && hash.ContainsAnyInRange('A', 'Z');
    }
}
