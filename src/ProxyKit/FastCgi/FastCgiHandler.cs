using Microsoft.Extensions.Logging;
using ProxyKit.FastCgi;

namespace ProxyKit;

/// <summary>
/// Sends HTTP requests to a FastCGI 1.0 application, such as php-fpm, in the role of a responder. It works with <see cref="HttpClient"/> and
/// <see cref="HttpMessageInvoker"/>; the proxy uses it for destinations with <c>fastcgi://</c>. Of the request's URI only path and query count: the connection goes to
/// the handler's own address.
/// </summary>
public sealed class FastCgiHandler : HttpMessageHandler
{
    /// <summary>The parameters that a request has beyond those that follow from its method, URI, header fields and body; they win over those.</summary>
    public static readonly HttpRequestOptionsKey<IReadOnlyList<KeyValuePair<string, string>>> Parameters = new("ProxyKit.FastCgi.Parameters");

    internal FastCgiHandler(DestinationAddress address, FastCgiConnectionConfig config, TimeSpan connectTimeout, TimeProvider time, ILogger logger) =>
        Pool = new(address, config, connectTimeout, time, logger);

    internal FastCgiConnectionPool Pool { get; }

    /// <summary>The same without the detour of an <see cref="HttpMessageInvoker"/>.</summary>
    internal Task<HttpResponseMessage> ForwardAsync(HttpRequestMessage request, CancellationToken cancellationToken) => SendAsync(request, cancellationToken);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Pool.Dispose();
        base.Dispose(disposing);
    }

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        _ = Pool;
        throw new NotImplementedException();
    }
}
