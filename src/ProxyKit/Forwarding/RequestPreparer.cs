using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using ProxyKit.Transforms;

namespace ProxyKit.Forwarding;

/// <summary>
/// The first of the forwarder's three parts: HttpContext to <see cref="PreparedRequest"/>. Hop-by-hop fields go first, then the proxy adds its own, then
/// the user's transforms have the last word.
/// </summary>
internal sealed class RequestPreparer(RouteConfig route, RouteTransforms transforms, ReverseProxyOptions options, TrustedPeers trustedPeers)
{
    private readonly ViaHeader _via = new(options.Pseudonym);

    /// <summary>Fills <paramref name="prepared"/>, or says why the request is not forwarded.</summary>
    public Rejection? Prepare(HttpContext context, PreparedRequest prepared)
    {
        var request = context.Request;
        var rawTarget = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        if (RequestGuard.Check(context, rawTarget, route, options) is { } rejection)
            return rejection;

        prepared.Encoding ??= HeaderText.For(context.GetProxyContext()?.Cluster.HttpClient.RequestHeaderEncoding);
        prepared.Method = request.Method;
        prepared.Path = PathEncoding.Select(request, PathEncoding.RawPath(rawTarget), options.PathForwarding);
        prepared.Query = request.QueryString.Value ?? "";
        prepared.Host = transforms.UseOriginalHost && request.Host.HasValue ? request.Host.ToUriComponent() : null;
        prepared.IsGrpc = IsGrpc(request);
        prepared.PeerIsTrusted = trustedPeers.Contains(context.Connection);
        prepared.Upgrade = RequestedUpgrade(context, route);

        var isFastCgi = context.GetProxyContext()?.Model.IsFastCgi == true;
        if (CopyHeaders(context, prepared, isFastCgi) is { } bad)
            return bad;
        if (prepared.IsGrpc || AcceptsTrailers(request))
            prepared.Headers.Add("TE", "trailers");

        if (prepared.PeerIsTrusted)
        {
            foreach (var name in transforms.StaleForwardingHeaders)
                prepared.Headers.Remove(name);
        }
        foreach (var transform in isFastCgi ? transforms.FastCgiRequest : transforms.Request)
            transform.Apply(context, prepared);
        if ((prepared.Rejection ?? WebDavAddresses.Prepare(context, prepared, transforms)) is { } unfit)
            return unfit;
        // The client's own target was checked; what a middleware or a transform made of it goes onto the wire as it is.
        if (prepared.Path.AsSpan().ContainsAnyExceptInRange('!', '~') || prepared.Query.AsSpan().ContainsAnyExceptInRange('!', '~')
            || (prepared.Host is { } host && host.AsSpan().ContainsAnyExceptInRange('!', '~')))
            throw new InvalidOperationException("The path, query or host to forward holds a control, a space or a character that is not ASCII; it has to be percent-encoded.");
        return null;
    }

    private Rejection? CopyHeaders(HttpContext context, PreparedRequest prepared, bool isFastCgi)
    {
        var request = context.Request;
        var headers = prepared.Headers;
        var nominated = NominatedFields.Of(context);
        StringValues via = default;
        foreach (var (name, received) in request.Headers)
        {
            var value = received;
            foreach (var line in value)
            {
                if (line is null || !line.AsSpan().ContainsAnyExceptInRange(' ', '~'))
                    continue;
                if (RequestGuard.HasControls(line))
                    return new(400, $"a control character in the header {RequestGuard.WithoutControls(name)}");
                // Kestrel gives us bytes; an app that has it decode them, or sets text itself, has characters that need an encoding.
                if (!options.ConfigureKestrel || !HeaderText.IsWire(line))
                    value = Encode(value, prepared.Encoding);
                if (value.Count == 0)
                    return new(400, $"a value in the header {name} that the cluster's RequestHeaderEncoding cannot express");
            }

            var described = HeaderRules.Describe(name);
            switch (described.Rule)
            {
                case HeaderRule.Drop:
                    continue;
                case HeaderRule.Forwarding:
                    if (!prepared.PeerIsTrusted)
                        continue;
                    break;
                case HeaderRule.Special:
                    if (name.Equals("Via", StringComparison.OrdinalIgnoreCase))
                        via = value;
                    else if (name.Equals("Max-Forwards", StringComparison.OrdinalIgnoreCase))
                    {
                        if (MaxForwards(request, value, headers) is { } answer)
                            return answer;
                    }
                    continue;
            }

            if (name[0] == ':' || !transforms.CopyRequestHeaders
                || (nominated is not null && nominated.Contains(name, received))
                || (transforms.AllowedRequestHeaders is { } allowed && !allowed.Contains(name)))
                continue;
            if (!described.IsToken)
                return new(400, "a header name that is not a token"); // RFC 9110 §5.1; Kestrel takes any but spaces and colons
            if (described.HasUnderscoreOrDot && options.UnderscoreHeaders != UnderscoreHeaders.Keep)
            {
                if (options.UnderscoreHeaders == UnderscoreHeaders.Reject)
                    return new(400, $"an underscore or dot in the header name {name}");
                continue;
            }
            headers.Add(name, value);
        }

        if (via.Count > 0 && _via.IsLoop(via))
            return new(508, "already passed through this proxy (Via)") { Error = ProxyError.LoopDetected };
        if (!isFastCgi)
            headers.Add("Via", _via.Append(via, request.Protocol));
        else if (via.Count > 0)
            headers.Add("Via", via);
        return null;
    }

    private static StringValues Encode(StringValues values, System.Text.Encoding? encoding)
    {
        var encoded = new string[values.Count];
        for (var i = 0; i < encoded.Length; i++)
        {
            if (HeaderText.ToWire(values[i] ?? "", encoding) is not { } wire)
                return default;
            encoded[i] = wire;
        }
        return encoded;
    }

    // RFC 9110 §7.6.2. TRACE is refused before.
    private static Rejection? MaxForwards(HttpRequest request, StringValues value, HeaderList headers)
    {
        if (!HttpMethods.IsOptions(request.Method) || !uint.TryParse(value.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var hops))
        {
            headers.Add("Max-Forwards", value);
            return null;
        }
        if (hops == 0)
            return new(200, "Max-Forwards: 0") { Error = ProxyError.None };
        headers.Add("Max-Forwards", (hops - 1).ToString(CultureInfo.InvariantCulture));
        return null;
    }

    /// <summary>The protocol that the client asks to switch to; null if it asks for none, or the route does not let it.</summary>
    public static string? RequestedUpgrade(HttpContext context, RouteConfig route)
    {
        if (route.Upgrades.Count == 0)
            return null;
        if (context.Request.Headers.Upgrade is { Count: > 0 } upgrade)
        {
            var protocol = upgrade.ToString();
            // A WebSocket handshake is a GET without a body (RFC 6455 §4.1).
            if (!context.Request.Headers.Connection.ToString().Contains("upgrade", StringComparison.OrdinalIgnoreCase)
                || context.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true }
                || (protocol.Equals("websocket", StringComparison.OrdinalIgnoreCase) && !HttpMethods.IsGet(context.Request.Method)))
                return null;
            foreach (var allowed in route.Upgrades.AsSpan())
            {
                if (protocol.Equals(allowed, StringComparison.OrdinalIgnoreCase))
                    return protocol;
            }
            return null;
        }
        return HttpMethods.IsConnect(context.Request.Method) ? "websocket" : null; // RFC 8441; the guard lets no other CONNECT pass
    }

    // Only over HTTP/2 and later is it sure that nobody in between has dropped the trailers.
    private static bool AcceptsTrailers(HttpRequest request) =>
        !RequestGuard.IsHttp1(request) && request.Headers.TE is { Count: > 0 } te && te.ToString().Contains("trailers", StringComparison.OrdinalIgnoreCase);

    public static bool IsGrpc(HttpRequest request) =>
        !RequestGuard.IsHttp1(request) && request.ContentType is { } type && type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase)
        && (type.Length == 16 || type[16] is '+' or ';' or ' ');
}
