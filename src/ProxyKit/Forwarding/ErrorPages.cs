using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.StaticFiles;
using ProxyKit.Configuration;

namespace ProxyKit.Forwarding;

/// <summary>The bodies of the proxy's own errors, read once at start-up.</summary>
internal sealed class ErrorPages
{
    private readonly Dictionary<string, (byte[] Body, string ContentType)> _pages = new(StringComparer.OrdinalIgnoreCase);

    public ErrorPages(ValueMap paths, ContentFiles files)
    {
        foreach (var (status, path) in paths)
            _pages[status] = (File.ReadAllBytes(files.Resolve(path)), new FileExtensionContentTypeProvider().TryGetContentType(path, out var type) ? type : "text/html");
    }

    public static bool IsValidKey(string key) =>
        key.Equals("default", StringComparison.OrdinalIgnoreCase)
        || (key.Length == 3 && key[0] is '4' or '5' && (key[1..].Equals("xx", StringComparison.OrdinalIgnoreCase) || (char.IsAsciiDigit(key[1]) && char.IsAsciiDigit(key[2]))));

    public async Task WriteAsync(HttpContext context)
    {
        var status = context.Response.StatusCode.ToString(CultureInfo.InvariantCulture);
        if (_pages.Count == 0
            || (!_pages.TryGetValue(status, out var page) && !_pages.TryGetValue($"{status[0]}xx", out page) && !_pages.TryGetValue("default", out page)))
            return;
        context.Response.ContentType = page.ContentType;
        context.Response.ContentLength = page.Body.Length;
        context.Response.Headers.CacheControl = "no-store";
        if (!HttpMethods.IsHead(context.Request.Method))
            await context.Response.Body.WriteAsync(page.Body, context.RequestAborted);
    }
}
