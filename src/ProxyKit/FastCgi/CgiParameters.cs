using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Features.Authentication;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>
/// What a script is told beside header fields and body: RFC 3875 §4.1, and what PHP expects. A client has no part in the names: those that are made of its header fields
/// all begin with <c>HTTP_</c>.
/// </summary>
internal sealed class CgiParameters
{
    private readonly TrustedPeers _trusted;
    private readonly KeyValuePair<string, string>[] _constants;
    private readonly KeyValuePair<string, Func<HttpContext, string?>>[] _computed;

    public CgiParameters(FastCgiConfig site, TrustedPeers trusted)
    {
        _trusted = trusted;
        _constants = [.. site.Parameters];
        _computed = [.. site.ComputedParameters];
    }

    /// <summary>Adds them to the request.</summary>
    public void Add(HttpContext context, PreparedRequest prepared, Script script)
    {
        var request = context.Request;
        var connection = context.Connection;
        var client = CgiClient.Of(context, prepared.PeerIsTrusted, _trusted);
        prepared.DefaultHost = client.Host.Length > 0 ? client.Host : client.ServerName;

        var name = Prefix(request, prepared.Path) + script.Name;
        var list = prepared.Cgi;
        if (script.FileName is { } file)
            list.Add(new("SCRIPT_FILENAME", file));
        list.Add(new("SCRIPT_NAME", name));
        list.Add(new("DOCUMENT_URI", name + script.PathInfo));
        if (script.Root is { } root)
            list.Add(new("DOCUMENT_ROOT", root));
        // php-fpm before 7.1.33 and 7.3.11 could be made to write before an empty one (CVE-2019-11043).
        if (script.PathInfo.Length > 0)
        {
            list.Add(new("PATH_INFO", script.PathInfo));
            // A backslash may be a separator where the application runs: then there could be dot segments.
            if (script.Root is not null && !script.PathInfo.Contains('\\', StringComparison.Ordinal))
                list.Add(new("PATH_TRANSLATED", SiteRoot.Join(script.Root, script.PathInfo)));
        }
        list.Add(new("REQUEST_METHOD", prepared.Method));
        list.Add(new("REQUEST_URI", Target(context, request)));
        list.Add(new("QUERY_STRING", prepared.Query.Length > 0 ? prepared.Query[1..] : ""));
        list.Add(new("REQUEST_SCHEME", client.IsHttps ? "https" : "http"));
        if (client.IsHttps)
            list.Add(new("HTTPS", "on"));
        list.Add(new("SERVER_PROTOCOL", request.Protocol switch { "HTTP/2" => "HTTP/2.0", "HTTP/3" => "HTTP/3.0", var protocol => protocol })); // with a minor version, RFC 3875 §4.1.16
        list.Add(new("SERVER_NAME", client.ServerName));
        list.Add(new("SERVER_PORT", client.ServerPort));
        if (CgiClient.Text(connection.LocalIpAddress) is { } address)
            list.Add(new("SERVER_ADDR", address));
        list.Add(new("SERVER_SOFTWARE", "ProxyKit"));
        list.Add(new("GATEWAY_INTERFACE", "CGI/1.1"));
        list.Add(new("REDIRECT_STATUS", "200")); // a PHP that is built with force-cgi-redirect runs nothing without it
        list.Add(new("REMOTE_ADDR", client.Address));
        list.Add(new("REMOTE_HOST", client.Address)); // RFC 3875 §4.1.9: in the place of a name that is not looked up
        if (client.Port is { } port)
            list.Add(new("REMOTE_PORT", port));
        // context.User would make one for each request of an app without authentication.
        if (context.Features.Get<IHttpAuthenticationFeature>()?.User?.Identity is { IsAuthenticated: true, Name: { Length: > 0 } user, AuthenticationType: var type })
        {
            list.Add(new("REMOTE_USER", user));
            if (!string.IsNullOrEmpty(type))
                list.Add(new("AUTH_TYPE", type));
        }

        foreach (var (parameter, value) in _constants)
            Set(list, parameter, value);
        foreach (var (parameter, value) in _computed)
            Set(list, parameter, value(context) ?? "");
    }

    // An empty value is a word to the handler: the parameter is not to be made of the request either, be it a header field's.
    private static void Set(List<KeyValuePair<string, string>> list, string name, string value)
    {
        for (var i = 0; i < list.Count; i++)
        {
            if (list[i].Key == name)
            {
                list[i] = new(name, value);
                return;
            }
        }
        list.Add(new(name, value));
    }

    // What stands before the path that the script is found by: the path base, and what a transform has taken off. With it, SCRIPT_NAME and REQUEST_URI begin alike, and
    // links that an application makes of the one lead back here.
    private static string Prefix(HttpRequest request, string path)
    {
        var (pathBase, original) = (request.PathBase.Value ?? "", request.Path.Value ?? "");
        var now = path.Contains('%', StringComparison.Ordinal) ? PreparedRequest.Decode(path).Value! : path;
        var length = original.Length - now.Length;
        return length > 0 && original.EndsWith(now, StringComparison.Ordinal) && original[length - 1] != '/' ? pathBase + original[..length] : pathBase;
    }

    // As the client sent it; of an absolute one (RFC 9112 §3.2.2) what an origin server would have been sent.
    private static string Target(HttpContext context, HttpRequest request)
    {
        var target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        if (target.Length > 0 && target[0] == '/')
            return target;
        var authority = target.IndexOf("://", StringComparison.Ordinal);
        if (authority < 0)
            return $"{request.PathBase.ToUriComponent()}{request.Path.ToUriComponent()}{request.QueryString.Value}";
        var path = target.AsSpan(authority + 3).IndexOfAny('/', '?');
        return path < 0 ? "/" : target[authority + 3 + path] == '?' ? "/" + target[(authority + 3 + path)..] : target[(authority + 3 + path)..];
    }
}
