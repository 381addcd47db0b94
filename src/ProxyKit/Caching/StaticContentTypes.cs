using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>
/// Whether a response is what its path looks like. <c>/account/x.css</c> may be answered with somebody's account by an application that looks at the beginning of paths only, and somebody else
/// may have made that client ask for it to read it from the cache (web cache deception).
/// </summary>
internal static class StaticContentTypes
{
    private static readonly FrozenDictionary<string, string[]> s_types = Table(
        ("css", ["text/css"]),
        ("js mjs", ["text/javascript", "application/javascript", "application/x-javascript", "text/ecmascript", "application/ecmascript"]),
        ("wasm", ["application/wasm"]),
        ("apng avif bmp cur gif heic ico jfif jpeg jpg jxl png svg svgz tif tiff webp", ["image/"]),
        ("eot otf ttf woff woff2", ["font/", "application/font", "application/x-font", "application/vnd.ms-fontobject"]),
        ("aac aif aiff flac m4a mid midi mp3 oga ogg opus wav weba", ["audio/", "video/", "application/ogg"]),
        ("3gp avi m4v mkv mov mp4 mpeg mpg ogv webm wmv", ["video/", "audio/", "application/ogg"]),
        ("pdf", ["application/pdf"]),
        ("eps ps", ["application/postscript", "image/", "application/eps"]),
        ("swf", ["application/x-shockwave-flash"]),
        // Archives, programs and documents go by many types, but by none of a page or its data.
        ("7z apk bin bz2 class dmg doc docx exe gz iso jar msi ppt pptx rar tar tgz xls xlsx xz zip zst", []));

    // What a page or its data come as.
    private static readonly string[] s_pages = ["text/html", "application/xhtml", "application/json", "text/plain", "text/xml", "application/xml"];

    /// <summary>Whether the path ends like a static file that would be of another type. Only a success can be somebody's page.</summary>
    public static bool IsMismatch(HttpRequest request, int statusCode, StringValues contentType)
    {
        if (statusCode is < 200 or >= 300 || contentType.Count == 0 || contentType[0] is not { Length: > 0 } type)
            return false;
        var path = request.Path.HasValue ? request.Path.Value : request.PathBase.Value;
        var extension = Extension(path);
        if (extension.IsEmpty || !s_types.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(extension, out var expected))
            return false;
        if (Begins(type, "application/octet-stream") || Begins(type, "binary/octet-stream"))
            return false;
        if (expected.Length == 0)
            return BeginsWithOne(type, s_pages);
        return !BeginsWithOne(type, expected);
    }

    /// <summary>
    /// The letters after the last dot of the last segment, to whatever ends them: <c>css</c> of <c>/account;x.css</c>, of <c>/account%2fx.css</c> and of <c>/x.css;v=1</c> alike, as caches and
    /// applications do not agree on what belongs to a path.
    /// </summary>
    private static ReadOnlySpan<char> Extension(ReadOnlySpan<char> path)
    {
        path = path[(path.LastIndexOf('/') + 1)..];
        var dot = path.LastIndexOf('.');
        if (dot < 0)
            return default;
        path = path[(dot + 1)..];
        var end = 0;
        while (end < path.Length && char.IsAsciiLetterOrDigit(path[end]))
            end++;
        return path[..end];
    }

    private static bool BeginsWithOne(string type, string[] beginnings)
    {
        foreach (var beginning in beginnings)
        {
            if (Begins(type, beginning))
                return true;
        }
        return false;
    }

    private static bool Begins(string type, string beginning) => type.AsSpan().TrimStart(' ').StartsWith(beginning, StringComparison.OrdinalIgnoreCase);

    private static FrozenDictionary<string, string[]> Table(params ReadOnlySpan<(string Extensions, string[] Types)> rows)
    {
        var table = new Dictionary<string, string[]>(StringComparer.OrdinalIgnoreCase);
        foreach (var (extensions, types) in rows)
        {
            foreach (var extension in extensions.Split(' '))
                table.Add(extension, types);
        }
        return table.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    }
}
