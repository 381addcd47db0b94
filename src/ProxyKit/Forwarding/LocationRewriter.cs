using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Transforms;

namespace ProxyKit.Forwarding;

/// <summary>
/// Turns a destination's own addresses in a response into the public ones. nginx: <c>proxy_redirect default</c>, <c>proxy_cookie_domain</c>, <c>proxy_cookie_path</c>.
/// </summary>
/// <remarks>The way back of the request's path: base path and added prefix go, removed prefix and path base come. An address of another host is left alone.</remarks>
internal readonly struct LocationRewriter(HttpContext context, ProxyContext proxy, Destination? answered, RouteTransforms transforms)
{
    public StringValues Location(StringValues value) => value.Count == 1 ? Rewrite(value.ToString()) : value;

    /// <summary><c>5; url=http://…</c></summary>
    public StringValues Refresh(StringValues value)
    {
        var text = value.ToString();
        var url = text.IndexOf("url=", StringComparison.OrdinalIgnoreCase);
        if (value.Count != 1 || url < 0)
            return value;
        url += 4;
        var address = text.AsSpan(url).Trim();
        var quote = address.Length > 1 && address[0] is '"' or '\'' && address[^1] == address[0] ? address[..1].ToString() : "";
        if (quote.Length > 0)
            address = address[1..^1];
        var original = address.ToString();
        var rewritten = Rewrite(original);
        return ReferenceEquals(rewritten, original) ? value : $"{text[..url]}{quote}{rewritten}{quote}";
    }

    public StringValues Cookies(StringValues cookies)
    {
        if (cookies.Count == 1)
            return Cookie(cookies.ToString());
        var rewritten = new string?[cookies.Count];
        for (var i = 0; i < rewritten.Length; i++)
            rewritten[i] = Cookie(cookies[i]!);
        return rewritten;
    }

    private string Rewrite(string location)
    {
        if (location.Length == 0)
            return location;
        if (location[0] == '/')
            return location.Length > 1 && location[1] is '/' or '\\' ? NetworkPath(location) : MapPath(location);

        var scheme = location.IndexOf("://", StringComparison.Ordinal);
        if (scheme is not (4 or 5) || !location.StartsWith("http", StringComparison.OrdinalIgnoreCase))
            return location;
        var start = scheme + 3;
        return FromAuthority(location, start, isHttps: scheme == 5);
    }

    // "//host/path" names a host as well.
    private string NetworkPath(string location) => location[1] == '/' ? FromAuthority(location, 2, answered?.Target.IsHttps ?? false) : location;

    private string FromAuthority(string location, int start, bool isHttps)
    {
        var end = location.AsSpan(start).IndexOfAny('/', '?', '#');
        end = end < 0 ? location.Length : start + end;
        var authority = location.AsSpan(start, end - start);
        if (!IsInternal(authority, isHttps) || !context.Request.Host.HasValue)
            return location;
        var rest = location[end..];
        return $"{context.Request.Scheme}://{context.Request.Host.ToUriComponent()}{(rest.StartsWith('/') ? MapPath(rest) : rest)}";
    }

    private bool IsInternal(ReadOnlySpan<char> authority, bool isHttps)
    {
        authority = WithoutDefaultPort(authority, isHttps);
        foreach (var destination in proxy.Destinations)
        {
            if (authority.Equals(destination.Target.Host, StringComparison.OrdinalIgnoreCase)
                || (destination.Config.Host is { } host && authority.Equals(WithoutDefaultPort(host, isHttps), StringComparison.OrdinalIgnoreCase)))
                return !authority.Equals(context.Request.Host.Value, StringComparison.OrdinalIgnoreCase) || HasPathMapping || isHttps != context.Request.IsHttps;
        }
        return false;
    }

    private static ReadOnlySpan<char> WithoutDefaultPort(ReadOnlySpan<char> authority, bool isHttps)
    {
        var port = isHttps ? ":443" : ":80";
        return authority.EndsWith(port) ? authority[..^port.Length] : authority;
    }

    // Nobody has answered where a user's own resilience pipeline came up with the response: its paths are public already. So are those of CGI scripts, which are told
    // where they stand (SCRIPT_NAME).
    private bool HasPathMapping =>
        answered is not null && !proxy.Model.IsFastCgi && (transforms.RemovedPrefix is { Length: > 0 } || transforms.AddedPrefix.Length > 0 || answered.Target.BasePath.Length > 0
        || context.Request.PathBase.HasValue);

    private string MapPath(string path)
    {
        if (transforms.RemovedPrefix is not { } removed || !HasPathMapping)
            return path;
        var end = path.AsSpan().IndexOfAny('?', '#');
        var (only, rest) = end < 0 ? (path, "") : (path[..end], path[end..]);
        var upstream = answered!.Target.BasePath + transforms.AddedPrefix;
        if (upstream.Length > 0)
        {
            if (!PathRemovePrefixTransform.TryRemove(only, upstream, out only))
                return path;
        }
        var front = context.Request.PathBase.ToUriComponent() + removed;
        // "//evil.example" behind an empty prefix would name a host; to a browser, which takes \ for / and skips tabs, these do as well.
        return front.Length == 0 && only.Length > 1 && only[1] is '/' or '\\' or '\t' ? path : front + only + rest;
    }

    private string Cookie(string cookie)
    {
        var semicolon = cookie.IndexOf(';', StringComparison.Ordinal);
        if (semicolon < 0)
            return cookie;
        var changed = false;
        var result = new StringBuilder(cookie.Length).Append(cookie, 0, semicolon);
        foreach (var attribute in cookie[(semicolon + 1)..].Split(';'))
        {
            var text = attribute;
            var trimmed = attribute.AsSpan().Trim();
            if (trimmed.StartsWith("Domain=", StringComparison.OrdinalIgnoreCase) && IsInternalDomain(trimmed[7..].Trim().TrimStart('.')))
            {
                changed = true; // without Domain it is the public host's
                continue;
            }
            if (HasPathMapping && trimmed.StartsWith("Path=/", StringComparison.OrdinalIgnoreCase))
            {
                var path = trimmed[5..].ToString();
                var mapped = MapPath(path);
                if (mapped != path)
                {
                    changed = true;
                    text = $" Path={(mapped.Length > 1 ? mapped.TrimEnd('/') : mapped)}";
                }
            }
            result.Append(';').Append(text);
        }
        return changed ? result.ToString() : cookie;
    }

    private bool IsInternalDomain(ReadOnlySpan<char> domain)
    {
        foreach (var destination in proxy.Destinations)
        {
            if (domain.Equals(HostOnly(destination.Target.Host), StringComparison.OrdinalIgnoreCase)
                || (destination.Config.Host is { } host && domain.Equals(HostOnly(host), StringComparison.OrdinalIgnoreCase)))
                return !domain.Equals(context.Request.Host.Host, StringComparison.OrdinalIgnoreCase);
        }
        return false;
    }

    private static ReadOnlySpan<char> HostOnly(string authority)
    {
        var colon = authority.LastIndexOf(':');
        return colon > authority.LastIndexOf(']') ? authority.AsSpan(0, colon) : authority;
    }
}
