using System.Text;
using Microsoft.AspNetCore.Http;
using ProxyKit.Transforms;

namespace ProxyKit.Forwarding;

/// <summary>
/// Maps the public URLs in <c>Destination</c> and <c>If</c> (RFC 4918 §10.3, §10.4) to the upstream's, as the URL of the request itself is: the way back of <see cref="LocationRewriter"/>.
/// </summary>
/// <remarks>An upstream that is told where it is by X-Script-Name or SCRIPT_NAME expects the public URL.</remarks>
internal static class WebDavAddresses
{
    // Stands for scheme, host and base path until a destination is chosen.
    private const char Origin = '\u0001';

    /// <summary>Maps the paths, or says why the request is not forwarded.</summary>
    public static Rejection? Prepare(HttpContext context, PreparedRequest prepared, RouteTransforms transforms)
    {
        if (!transforms.RewriteLocation || transforms.RemovedPrefix is not { } removed || context.GetProxyContext()?.Model.IsFastCgi == true || prepared.Headers.Get("X-Script-Name").Count > 0)
            return null;
        var isPublic = new PublicAddress(context.Request, prepared, transforms);
        var front = context.Request.PathBase.Value + PathString.FromUriComponent(removed).Value;
        if (prepared.Method is "COPY" or "MOVE" && prepared.Headers.Get("Destination") is { Count: 1 } destination)
        {
            if (Map(destination.ToString(), out var isUnsafe) is { } mapped)
                prepared.WebDav.Add(new("Destination", mapped));
            if (isUnsafe)
                return new(400, "a Destination with dot segments, or that is no URL");
        }
        // <http://public.example/a> (<token>) <http://public.example/b> (Not <token>): only what is not in parentheses is a resource.
        if (prepared.Headers.Get("If") is { Count: 1 } condition && condition.ToString() is var text && text.Contains("://", StringComparison.Ordinal))
        {
            var result = new StringBuilder(text.Length);
            var depth = 0;
            for (var i = 0; i < text.Length; i++)
            {
                depth += text[i] switch { '(' => 1, ')' => -1, _ => 0 };
                if (text[i] == '<' && depth == 0 && text.IndexOf('>', i) is > 0 and var end)
                {
                    result.Append('<').Append(Map(text[(i + 1)..end], out _) ?? text[(i + 1)..end]);
                    i = end;
                }
                result.Append(text[i]);
            }
            prepared.WebDav.Add(new("If", result.ToString()));
        }
        return null;

        string? Map(string url, out bool isUnsafe)
        {
            isUnsafe = false;
            var start = 0;
            if (url.IndexOf("://", StringComparison.Ordinal) is (4 or 5) and var scheme && url.StartsWith("http", StringComparison.OrdinalIgnoreCase))
            {
                start = url.IndexOf('/', scheme + 3);
                start = start < 0 ? url.Length : start;
                var authority = url[(scheme + 3)..start];
                if (!isPublic.IsHost(authority, isHttps: scheme == 5) && !authority.Equals(context.Request.Host.Value, StringComparison.OrdinalIgnoreCase))
                    return null; // another server's
            }
            var end = url.IndexOf('?', start);
            var (path, query) = end < 0 ? (url[start..], "") : (url[start..end], url[end..]);
            isUnsafe = (path.Length > 0 && path[0] != '/') || url.AsSpan().ContainsAnyExceptInRange('!', '~') || url.AsSpan().ContainsAny('#', '\\', Origin)
                || (PathString.FromUriComponent(path).Value is { } decoded && (PathEncoding.HasDotSegment(decoded) || decoded.Contains('\\', StringComparison.Ordinal)));
            if (isUnsafe)
                return null;
            if (!(isPublic.ToldPrefix is { Length: > 0 } told && PathRemovePrefixTransform.TryRemove(path, told, out var inside)))
                inside = PathEncoding.WithoutBase(path, front);
            return inside is null ? null : $"{Origin}{transforms.AddedPrefix}{(inside.Length == 0 ? "/" : inside)}{query}";
        }
    }

    /// <summary>Names the destination that has been chosen.</summary>
    public static void Address(PreparedRequest prepared, Destination destination)
    {
        var target = destination.Target;
        var host = prepared.Host ?? HeaderText.Host(destination.Config.Host) ?? prepared.DefaultHost ?? target.Host;
        foreach (var (name, template) in prepared.WebDav)
        {
            var value = template.Replace($"{Origin}", $"{(target.IsHttps ? "https" : "http")}://{host}{target.BasePath}", StringComparison.Ordinal);
            if (name == "Destination" && value != prepared.Headers.Get(name).ToString())
            {
                // Servers compare Destination with the host by which they are called; some take that from here.
                prepared.Headers.Remove("X-Forwarded-Host");
                prepared.Headers.Remove("X-Forwarded-Port");
            }
            prepared.Headers.Set(name, value);
        }
    }
}
