using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

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

    private readonly DestinationAddress _address;
    private readonly FastCgiConnectionConfig _config;
    private readonly TimeSpan _connectTimeout;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    internal FastCgiHandler(DestinationAddress address, FastCgiConnectionConfig config, TimeSpan connectTimeout, TimeProvider time, ILogger logger) =>
        (_address, _config, _connectTimeout, _time, _logger) = (address, config, connectTimeout, time, logger);

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        _ = (_address, _config, _connectTimeout, _time, _logger, NullLogger.Instance);
        throw new NotImplementedException();
    }
}
