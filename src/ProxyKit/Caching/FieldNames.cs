using System.Collections.Frozen;
using Microsoft.Net.Http.Headers;

namespace ProxyKit.Caching;

/// <summary>
/// The names that most stored responses have, as the very strings of <see cref="HeaderNames"/>: they need not be made anew when a response is read, and Kestrel, which compares by reference first, finds its
/// own fields without comparing letters.
/// </summary>
internal static class FieldNames
{
    private static readonly FrozenSet<string> s_names = new[]
    {
        HeaderNames.AcceptRanges, HeaderNames.AccessControlAllowCredentials, HeaderNames.AccessControlAllowHeaders, HeaderNames.AccessControlAllowMethods, HeaderNames.AccessControlAllowOrigin,
        HeaderNames.AccessControlExposeHeaders, HeaderNames.AccessControlMaxAge, HeaderNames.Allow, HeaderNames.AltSvc, HeaderNames.CacheControl, HeaderNames.ContentDisposition, HeaderNames.ContentEncoding,
        HeaderNames.ContentLanguage, HeaderNames.ContentLocation, HeaderNames.ContentRange, HeaderNames.ContentSecurityPolicy, HeaderNames.ContentType, HeaderNames.Date,
        HeaderNames.ETag, HeaderNames.Expires, HeaderNames.LastModified, HeaderNames.Link, HeaderNames.Location, HeaderNames.Pragma, HeaderNames.RetryAfter, HeaderNames.Server, HeaderNames.SetCookie,
        HeaderNames.StrictTransportSecurity, HeaderNames.Vary, HeaderNames.Via, HeaderNames.XContentTypeOptions, HeaderNames.XFrameOptions,
        "X-XSS-Protection", "Referrer-Policy", "Permissions-Policy", "CDN-Cache-Control", "accept", "accept-encoding", "accept-language", "origin", "user-agent", "cookie",
    }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>The same letters.</summary>
    public static string Of(string name) => s_names.TryGetValue(name, out var known) ? known : name;

    /// <summary>The same letters.</summary>
    public static string Of(ReadOnlySpan<char> name) => s_names.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var known) ? known : new(name);
}
