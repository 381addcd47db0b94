using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Transforms;

namespace ProxyKit.Forwarding;

/// <summary>
/// Turns a destination's own addresses in a response into the public ones. nginx: <c>proxy_redirect default</c>, <c>proxy_cookie_domain</c>, <c>proxy_cookie_path</c>.
/// </summary>
/// <remarks>
/// The way back of the request's path: base path and added prefix go, removed prefix and path base come. What has the public prefix already is left alone: the upstream
/// knows it, from X-Forwarded-Prefix or its own configuration. So is an address of another host.
/// </remarks>
internal readonly struct LocationRewriter(HttpContext context, ProxyContext proxy, Destination? answered, RouteTransforms transforms, PreparedRequest? sent)
{
    private readonly PublicAddress _public = new(context.Request, sent, transforms);

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
        // A host that is public and internal at once is the destination's where its scheme is: a redirect from http to https must not be undone.
        var isPublic = _public.IsHost(authority, isHttps);
        if (!IsInternal(authority, isHttps, sameScheme: isPublic))
            return isPublic ? location[..end] + MapRest(location[end..]) : location;
        return _public.Host is { } host ? $"{_public.Scheme}://{host}{MapRest(location[end..])}" : location;
    }

    private string MapRest(string rest) => rest.StartsWith('/') ? MapPath(rest) : rest;

    private bool IsInternal(ReadOnlySpan<char> authority, bool isHttps, bool sameScheme)
    {
        authority = PublicAddress.WithoutDefaultPort(authority, isHttps);
        foreach (var destination in proxy.Destinations)
        {
            if ((!sameScheme || destination.Target.IsHttps == isHttps)
                && (authority.Equals(destination.Target.Host, StringComparison.OrdinalIgnoreCase)
                    || (destination.Config.Host is { } host && authority.Equals(PublicAddress.WithoutDefaultPort(host, isHttps), StringComparison.OrdinalIgnoreCase))))
                return true;
        }
        return false;
    }

    // Nobody has answered where a user's own resilience pipeline came up with the response: its paths are public already. So are those of CGI scripts, which are told
    // where they stand (SCRIPT_NAME).
    private bool HasPathMapping =>
        answered is not null && !proxy.Model.IsFastCgi && (transforms.RemovedPrefix is { Length: > 0 } || transforms.AddedPrefix.Length > 0 || answered.Target.BasePath.Length > 0
        || context.Request.PathBase.HasValue);

    private string MapPath(string path)
    {
        if (transforms.RemovedPrefix is null || !HasPathMapping)
            return path;
        var end = path.AsSpan().IndexOfAny('?', '#');
        var (only, rest) = end < 0 ? (path, "") : (path[..end], path[end..]);
        var upstream = answered!.Target.BasePath + transforms.AddedPrefix;
        var inner = only;
        var isInner = upstream.Length == 0 || PathRemovePrefixTransform.TryRemove(only, upstream, out inner);
        // An upstream that was told the prefix puts it in front of its own paths; of two prefixes that both fit, the longer one is meant.
        if (Has(_public.ToldPrefix, out var inside))
            return upstream.Length > 0 && PathRemovePrefixTransform.TryRemove(inside, upstream, out var below) ? _public.ToldPrefix + below + rest : path;
        var front = _public.Prefix;
        if (Has(front, out _) || !isInner)
            return path;
        only = inner;
        // "//evil.example" behind an empty prefix would name a host; to a browser, which takes \ for / and skips tabs, these do as well.
        return front.Length == 0 && only.Length > 1 && only[1] is '/' or '\\' or '\t' ? path : front + only + rest;

        bool Has(string? prefix, out string inside)
        {
            inside = only;
            return prefix is { Length: > 0 } && !(isInner && upstream.Length > prefix.Length) && PathRemovePrefixTransform.TryRemove(only, prefix, out inside);
        }
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
