using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Configuration;

namespace ProxyKit.Forwarding;

/// <summary>
/// The fields by which an upstream tells the proxy what to do with its response. They mean what they mean to nginx; no client sees them. What is no valid value is
/// ignored, as there. <c>X-Accel-Expires</c> is the cache's (<see cref="CacheConfig"/>).
/// </summary>
internal static class AccelHeaders
{
    public const string Redirect = "X-Accel-Redirect", SendFile = "X-Sendfile";

    public static readonly string[] All = [Redirect, SendFile, "X-Accel-Buffering", "X-Accel-Charset", "X-Accel-Expires", "X-Accel-Limit-Rate"];

    /// <summary>Whether the field names a file to answer with.</summary>
    public static bool IsFile(string name) => name.Length == Redirect.Length || name.Length == SendFile.Length;

    public static void Obey(ProxyContext proxy, string name, StringValues value, ref string? charset)
    {
        var text = value.Count > 0 ? value[0] : null;
        switch (name.Length)
        {
            case 17: // X-Accel-Buffering
                if (string.Equals(text, "no", StringComparison.OrdinalIgnoreCase))
                    proxy.AllowsResponseBuffering = false;
                else if (string.Equals(text, "yes", StringComparison.OrdinalIgnoreCase))
                    proxy.AllowsResponseBuffering = true;
                break;
            case 18: // X-Accel-Limit-Rate
                if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var rate))
                    proxy.ResponseRate = rate;
                break;
            case 15 when (name[8] | 0x20) == 'e': // X-Accel-Expires
                proxy.AccelExpires = text;
                break;
            case 15: // X-Accel-Charset
                charset = text is not null && Tokens.IsToken(text) && !text.Equals("off", StringComparison.OrdinalIgnoreCase) ? text : null;
                break;
        }
    }

    public static void SetCharset(IHeaderDictionary headers, string charset)
    {
        if (headers.ContentType is [{ Length: > 0 } type] && !type.Contains("charset", StringComparison.OrdinalIgnoreCase))
            headers.ContentType = $"{type}; charset={charset}";
    }
}
