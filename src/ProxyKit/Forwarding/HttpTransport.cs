using System.Net;
using Microsoft.Extensions.Primitives;
using ProxyKit.FastCgi;

namespace ProxyKit.Forwarding;

/// <summary>The second part, the exchange: <see cref="PreparedRequest"/> to response, over the cluster's own connection pool.</summary>
internal sealed class HttpTransport(HttpMessageInvoker invoker, Http1.Http1Pools? http1, FastCgiPools? fastCgi, HttpRequestConfig config)
{
    private static readonly UriCreationOptions s_uriOptions = new() { DangerousDisablePathAndQueryCanonicalization = true };
    private static readonly string[] s_contentHeaders =
        ["Allow", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Location", "Content-MD5", "Content-Range", "Content-Type", "Expires", "Last-Modified"];

    private readonly Version _https = config.Version ?? HttpVersion.Version20;
    private readonly Version _http = config.Version ?? HttpVersion.Version11;
    private readonly HttpVersionPolicy _policy = config.VersionPolicy ?? HttpVersionPolicy.RequestVersionOrLower;

    public bool IsVersionConfigured => config.Version is not null;

    /// <summary>Whether the request can go without messages of HttpClient's: over FastCGI, or HTTP/1.1 in clear text where HTTP/2 is not asked for.</summary>
    public bool CanSendDirectly(Destination destination, bool isGrpc) =>
        fastCgi is not null || http1 is not null && !destination.Target.IsHttps && (_http == HttpVersion.Version11 || _policy == HttpVersionPolicy.RequestVersionOrLower)
        && _http != HttpVersion.Version10 && (IsVersionConfigured || !isGrpc);

    public ValueTask<UpstreamResponse?> SendDirectlyAsync(PreparedRequest prepared, Destination destination, InterimRelay interim, CancellationToken cancellationToken) =>
        fastCgi is not null ? fastCgi.SendAsync(prepared, destination, interim, cancellationToken)
        : Http1.Http1Exchange.SendAsync(http1!.For(destination), prepared, destination, interim, cancellationToken);

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage message, CancellationToken cancellationToken) =>
        invoker.SendAsync(message, cancellationToken);

    /// <summary>The version that requests to this destination ask for.</summary>
    public (Version Version, HttpVersionPolicy Policy) VersionFor(Destination destination, bool isGrpc)
    {
        // gRPC cannot work over HTTP/1.1, and in clear text there is no ALPN to find out: prior knowledge.
        if (isGrpc && !IsVersionConfigured && !destination.Target.IsHttps)
            return (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        return (destination.Target.IsHttps ? _https : _http, _policy);
    }

    public HttpRequestMessage CreateMessage(PreparedRequest prepared, Destination destination)
    {
        var target = destination.Target;
        // The path begins with a slash, so whatever stands in it the authority is the destination's; and it is not normalised once more.
        var message = new HttpRequestMessage(Method(prepared.Method), new Uri(string.Concat(target.Prefix, prepared.Path, prepared.Query), s_uriOptions));
        (message.Version, message.VersionPolicy) = VersionFor(destination, prepared.IsGrpc);
        // HttpClient sends a request anew when its connection closes unanswered, unless there was content: so what must not be repeated has some (RFC 9110 §9.2.2).
        message.Content = (HttpContent?)prepared.Body ?? (prepared.IsIdempotent || prepared.Method == "CONNECT" ? null : new NoContent());

        var host = prepared.Host ?? HeaderText.Host(destination.Config.Host) ?? prepared.DefaultHost;
        if (host is not null || target.UnixSocketPath is not null)
            message.Headers.Host = host ?? target.Host;

        foreach (ref readonly var field in prepared.Headers.Fields)
            AddHeader(message, field.Name, field.Value);
        if (prepared.Cgi.Count > 0)
            message.Options.Set(FastCgiHandler.Parameters, [.. prepared.Cgi]);
        return message;
    }

    public static void AddHeader(HttpRequestMessage message, string name, StringValues value)
    {
        if (value.Count == 1)
        {
            if (!message.Headers.TryAddWithoutValidation(name, value.ToString()))
                AddContentHeader(message, name, value);
            return;
        }
        // Cookie pairs that HTTP/2 splits are one line in HTTP/1.1 (RFC 9113 §8.2.3).
        if (name.Equals("Cookie", StringComparison.OrdinalIgnoreCase))
            message.Headers.TryAddWithoutValidation(name, string.Join("; ", value.ToArray()));
        else if (!message.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)value))
            AddContentHeader(message, name, value);
    }

    private static void AddContentHeader(HttpRequestMessage message, string name, StringValues value)
    {
        // HttpClient keeps these on the content; a request without a body has one that sends nothing.
        if (IsContentHeader(name))
            (message.Content ??= new NoContent()).Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)value);
    }

    private static bool IsContentHeader(string name)
    {
        foreach (var other in s_contentHeaders)
        {
            if (other.Equals(name, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    private static HttpMethod Method(string method) => method switch
    {
        "GET" => HttpMethod.Get,
        "POST" => HttpMethod.Post,
        "PUT" => HttpMethod.Put,
        "HEAD" => HttpMethod.Head,
        "DELETE" => HttpMethod.Delete,
        "PATCH" => HttpMethod.Patch,
        "OPTIONS" => HttpMethod.Options,
        _ => new HttpMethod(method),
    };

    /// <summary>Carries content headers and no body: no Transfer-Encoding is sent.</summary>
    private sealed class NoContent : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => Task.CompletedTask;

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return true;
        }
    }
}
