using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Timeouts;
using ProxyKit.Transforms;

namespace ProxyKit.Forwarding;

/// <summary>
/// Upgrades: WebSockets over HTTP/1.1 (RFC 6455) and HTTP/2 (RFC 8441) in every combination, and what other protocols a route lets pass over HTTP/1.1.
/// </summary>
internal static class Upgrades
{
    private const string Key = "Sec-WebSocket-Key", Accept = "Sec-WebSocket-Accept";

    public static async Task<HttpResponseMessage> SendAsync(
        HttpTransport transport, HttpRequestMessage message, HttpContext context, PreparedRequest prepared, Destination destination, CancellationToken cancellationToken)
    {
        var isWebSocket = prepared.Upgrade!.Equals("websocket", StringComparison.OrdinalIgnoreCase);
        var (version, policy) = transport.VersionFor(destination, isGrpc: false);
        // Unless HTTP/2 is asked for, WebSockets go over HTTP/1.1: few servers speak RFC 8441.
        var http2 = isWebSocket && transport.IsVersionConfigured && version.Major >= 2
            && (policy != HttpVersionPolicy.RequestVersionOrLower || destination.Target.IsHttps);
        if (!http2)
        {
            ToHttp1(message, prepared, context);
            return await transport.SendAsync(message, cancellationToken);
        }

        ToHttp2(message);
        try
        {
            return await transport.SendAsync(message, cancellationToken);
        }
        catch (HttpRequestException e) when (policy == HttpVersionPolicy.RequestVersionOrLower
            && (e.Data.Contains("SETTINGS_ENABLE_CONNECT_PROTOCOL") || e.Data.Contains("HTTP2_ENABLED")))
        {
            // The destination does not do it: nothing has been sent but the handshake of the connection.
            var second = transport.CreateMessage(prepared, destination);
            ToHttp1(second, prepared, context);
            message.Headers.Protocol = null;
            CopyHandshake(second, message);
            return await transport.SendAsync(second, cancellationToken);
        }
    }

    /// <summary>Whether the destination has switched.</summary>
    public static bool IsAccepted(HttpResponseMessage response) =>
        response.StatusCode == HttpStatusCode.SwitchingProtocols
        || (response.Version.Major >= 2 && response.StatusCode == HttpStatusCode.OK && response.RequestMessage?.Headers.Protocol is not null);

    public static async Task TunnelAsync(
        HttpContext context, ProxyContext proxy, UpstreamResponse upstreamResponse, ResponseHeaders responseHeaders,
        RouteTransforms transforms, ExchangeClock clock, ForwarderServices services)
    {
        var response = upstreamResponse.Message!;
        var sent = response.RequestMessage!;
        var isHttp1Upstream = response.StatusCode == HttpStatusCode.SwitchingProtocols;
        var protocol = isHttp1Upstream ? sent.Headers.NonValidated["Upgrade"].ToString() : "websocket";
        var isWebSocket = protocol.Equals("websocket", StringComparison.OrdinalIgnoreCase);
        if (isHttp1Upstream && isWebSocket && !HasAccept(response, sent))
            throw new HttpRequestException(HttpRequestError.InvalidResponse, $"The destination's {Accept} does not fit the key.");
        if (isHttp1Upstream
            && !(response.Headers.NonValidated.TryGetValues("Upgrade", out var switched) && switched.ToString().Equals(protocol, StringComparison.OrdinalIgnoreCase)))
            throw new HttpRequestException(HttpRequestError.InvalidResponse, "The destination switched to a protocol that nobody asked for.");

        responseHeaders.Copy(context, proxy, upstreamResponse, new LocationRewriter(context, proxy, proxy.Destination, transforms, sent: null));
        proxy.Model.Affinity?.Deliver(context, proxy, proxy.Destination);
        var headers = context.Response.Headers;
        headers.ContentLength = null;
        foreach (var transform in transforms.Response)
            transform.Apply(headers, (int)response.StatusCode, HeaderText.For(proxy.Cluster.HttpClient.ResponseHeaderEncoding));

        Stream client;
        context.Features.Get<IHttpRequestTimeoutFeature>()?.DisableTimeout();
        if (context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect)
        {
            headers.Remove(Accept);
            context.Response.StatusCode = StatusCodes.Status200OK;
            if (context.Features.Get<Microsoft.AspNetCore.Server.Kestrel.Core.Features.IHttpMinRequestBodyDataRateFeature>() is { } rate)
                rate.MinDataRate = null;
            client = await connect.AcceptAsync();
        }
        else
        {
            if (!isHttp1Upstream)
                headers[Accept] = WebSocketFrames.AcceptFor(context.Request.Headers[Key].ToString());
            headers.Upgrade = protocol;
            client = await context.Features.Get<IHttpUpgradeFeature>()!.UpgradeAsync();
        }

        clock.Upgraded();
        services.Log.Upgraded(protocol, proxy);
        try
        {
            var upstream = await response.Content.ReadAsStreamAsync(clock.Token);
            await new Tunnel(client, upstream, isWebSocket, proxy, clock, services.Clocks.Time).RunAsync(context.RequestAborted, services.Stopping);
        }
        catch (Exception e)
        {
            throw new PhaseException(Phase.Tunnel, e);
        }
    }

    private static void ToHttp1(HttpRequestMessage message, PreparedRequest prepared, HttpContext context)
    {
        message.Version = HttpVersion.Version11;
        message.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        message.Headers.TryAddWithoutValidation("Connection", "Upgrade");
        message.Headers.TryAddWithoutValidation("Upgrade", prepared.Upgrade);
        var key = context.Request.Headers[Key].ToString();
        var isConnect = message.Method == HttpMethod.Connect;
        // An HTTP/2 client sends no key; one that does must send a good one.
        if (prepared.Upgrade!.Equals("websocket", StringComparison.OrdinalIgnoreCase) && !(isConnect && key.Length == 0) && !WebSocketFrames.IsKey(key))
            throw new BadHttpRequestException("Sec-WebSocket-Key is not 16 bytes in base64.");
        if (!isConnect)
            return;
        message.Method = HttpMethod.Get;
        message.Headers.Remove(Key);
        message.Headers.TryAddWithoutValidation(Key, key.Length > 0 ? key : WebSocketFrames.NewKey());
    }

    private static void ToHttp2(HttpRequestMessage message)
    {
        if (message.Method != HttpMethod.Connect && !(message.Headers.NonValidated.TryGetValues(Key, out var key) && WebSocketFrames.IsKey(key.ToString())))
            throw new BadHttpRequestException("Sec-WebSocket-Key is not 16 bytes in base64.");
        message.Method = HttpMethod.Connect;
        message.Headers.Protocol = "websocket";
        message.Headers.Remove(Key);
        message.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        message.Version = HttpVersion.Version20;
    }

    // What the user's request transforms did to the first message holds for the second.
    private static void CopyHandshake(HttpRequestMessage target, HttpRequestMessage source)
    {
        target.RequestUri = source.RequestUri;
        foreach (var (name, values) in source.Headers.NonValidated)
        {
            if (!target.Headers.NonValidated.Contains(name))
                target.Headers.TryAddWithoutValidation(name, values.ToString());
        }
    }

    private static bool HasAccept(HttpResponseMessage response, HttpRequestMessage sent) =>
        response.Headers.NonValidated.TryGetValues(Accept, out var accept)
        && accept.ToString() == WebSocketFrames.AcceptFor(sent.Headers.NonValidated[Key].ToString());
}
