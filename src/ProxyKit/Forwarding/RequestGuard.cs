using System.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Configuration;

namespace ProxyKit.Forwarding;

/// <summary>Turns down what must not be forwarded: ambiguous framing, methods that are not for a gateway, paths that hold raw controls.</summary>
internal static class RequestGuard
{
    public const string Allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

    // RFC 9110 §5.5: of all controls only the tab may stand in a field value.
    private static readonly SearchValues<char> s_controls =
        SearchValues.Create([.. Enumerable.Range(0, 32).Where(c => c != '\t').Select(c => (char)c), '\u007f']);

    public static bool IsHttp1(HttpRequest request) => request.Protocol is { Length: 8 } protocol && protocol[5] == '1';

    public static bool HasControls(string value) => value.AsSpan().ContainsAny(s_controls);

    /// <summary>The text with a space in the place of each control (RFC 9110 §5.5).</summary>
    public static string WithoutControls(string text) => !HasControls(text) ? text : string.Create(text.Length, text, static (span, text) =>
    {
        for (var i = 0; i < span.Length; i++)
            span[i] = s_controls.Contains(text[i]) ? ' ' : text[i];
    });

    /// <summary>Null if the request may be forwarded.</summary>
    public static Rejection? Check(HttpContext context, string rawTarget, RouteConfig route, ReverseProxyOptions options)
    {
        var request = context.Request;
        var transferEncoding = request.Headers.TransferEncoding;
        if (transferEncoding.Count != 0)
        {
            if (!IsHttp1(request))
                return new(400, "a Transfer-Encoding in HTTP/2 or later"); // RFC 9113 §8.2.2; Kestrel lets it pass
            // RFC 9112 §6.1: a client that sends both lengths, or a coding to an HTTP/1.0 server, may be smuggling. Kestrel moves the Content-Length
            // of such a request aside to X-Content-Length.
            if (request.Headers.ContainsKey("X-Content-Length"))
                return new(400, "both Transfer-Encoding and Content-Length", Close: true);
            if (request.Protocol == "HTTP/1.0")
                return new(400, "Transfer-Encoding in HTTP/1.0", Close: true);
            if (transferEncoding.Count != 1 || !"chunked".Equals(transferEncoding[0], StringComparison.OrdinalIgnoreCase))
                return new(501, "a Transfer-Encoding other than chunked", Close: true);
        }

        var method = request.Method;
        var canonical = HttpMethods.GetCanonicalizedValue(method);
        if (!ReferenceEquals(canonical, method) && canonical != method)
            return new(501, "a method in the wrong case"); // RFC 9110 §9.1: methods are case-sensitive
        if (!Tokens.IsToken(method))
            return new(400, "a method that is not a token"); // not the server's, but a middleware may have taken it from a header
        if (HttpMethods.IsTrace(canonical) || (HttpMethods.IsConnect(canonical) && !IsExtendedConnect(context, route)))
            return new(405, "a method that is not forwarded", Close: HttpMethods.IsConnect(canonical));

        if (rawTarget is "*")
            return new(400, "a request for the server itself (OPTIONS *)");
        // A fragment is no part of a target (RFC 9112 §3.2): many servers cut it off, so /admin#x would be routed as one thing and served as another.
        if (rawTarget.AsSpan().ContainsAnyExceptInRange('!', '~') || rawTarget.Contains('#', StringComparison.Ordinal))
            return new(400, "a raw control, space, # or non-ASCII byte in the request target");
        // Kestrel decodes %2F of an absolute target after it has resolved the dot segments: the path that was routed and authorized is not the one that it names.
        if (rawTarget.Length > 0 && rawTarget[0] != '/' && PathEncoding.HasDotSegment(request.Path.Value ?? ""))
            return new(400, "dot segments behind an encoded slash");
        if (options.RejectedEncodedCharacters != 0 && HasRejectedEncoding(rawTarget, options.RejectedEncodedCharacters))
            return new(400, "an encoded character in the path that is configured to be refused");
        return null;
    }

    private static bool IsExtendedConnect(HttpContext context, RouteConfig route) =>
        context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true, Protocol: "websocket" } && route.Upgrades.Contains("websocket");

    private static bool HasRejectedEncoding(string rawTarget, EncodedCharacters rejected)
    {
        for (var i = 0; i + 2 < rawTarget.Length && rawTarget[i] != '?'; i++)
        {
            if (rawTarget[i] != '%')
                continue;
            if ((rejected & EncodedCharacters.Percent) == 0)
            {
                // %252F is one as well for who decodes twice, this proxy among them where it encodes a decoded path anew.
                while (i + 4 < rawTarget.Length && rawTarget[i + 1] == '2' && rawTarget[i + 2] == '5')
                    i += 2;
            }
            var character = (char.ToUpperInvariant(rawTarget[i + 1]), char.ToUpperInvariant(rawTarget[i + 2])) switch
            {
                ('2', 'F') => EncodedCharacters.Slash,
                ('5', 'C') => EncodedCharacters.Backslash,
                ('3', 'B') => EncodedCharacters.Semicolon,
                ('2', '5') => EncodedCharacters.Percent,
                ('3', 'F') => EncodedCharacters.QuestionMark,
                ('2', '3') => EncodedCharacters.Hash,
                _ => EncodedCharacters.None,
            };
            if ((character & rejected) != 0)
                return true;
        }
        return false;
    }
}

/// <summary>An answer of the proxy's own to a request that it does not forward.</summary>
/// <param name="Status">The status code.</param>
/// <param name="Reason">For the log: "the request has …".</param>
/// <param name="Close">Whether the connection is closed, because where the next request starts is in doubt.</param>
internal sealed record Rejection(int Status, string Reason, bool Close = false)
{
    public ProxyError Error { get; init; } = ProxyError.RequestRejected;
}
