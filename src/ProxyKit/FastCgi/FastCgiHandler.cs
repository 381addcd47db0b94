using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyKit.FastCgi;
using ProxyKit.Forwarding;

namespace ProxyKit;

/// <summary>
/// Sends HTTP requests to a FastCGI 1.0 application, such as php-fpm, in the role of a responder. It works with <see cref="HttpClient"/> and
/// <see cref="HttpMessageInvoker"/>; the proxy uses it for destinations with <c>fastcgi://</c>. Of the request's URI only scheme, host, path and query count, as parameters:
/// the connection goes to the handler's own address.
/// </summary>
/// <remarks>
/// <para>
/// The parameters are those of RFC 3875 that follow from the request, and its header fields as <c>HTTP_…</c>, without hop-by-hop fields, <c>Proxy</c>, and names with anything
/// but letters, digits and dashes. An application needs more than that: php-fpm wants <c>SCRIPT_FILENAME</c>. It goes into <see cref="Parameters"/>.
/// </para>
/// <para>
/// The answer's body must be read to its end, or the response disposed of: until then a worker of the application is occupied. A request that fails is an
/// <see cref="HttpRequestException"/>, whose <see cref="HttpRequestException.HttpRequestError"/> says in what; a body that breaks off is an <see cref="HttpIOException"/>.
/// </para>
/// </remarks>
/// <example>
/// <code>
/// using var client = new HttpClient(new FastCgiHandler("fastcgi://127.0.0.1:9000"));
/// var request = new HttpRequestMessage(HttpMethod.Get, "http://localhost/index.php?x=1");
/// request.Options.Set(FastCgiHandler.Parameters, [new("SCRIPT_FILENAME", "/srv/www/index.php")]);
/// using var response = await client.SendAsync(request);
/// </code>
/// </example>
public sealed class FastCgiHandler : HttpMessageHandler
{
    internal const long DefaultMaxBufferedContent = 16 * 1024 * 1024;

    /// <summary>
    /// The parameters that a request has beyond those that follow from its method, URI, header fields and body; they win over those, except over <c>CONTENT_LENGTH</c>. Of a name that is
    /// there twice the last one counts. An empty value takes a parameter away; <c>QUERY_STRING</c> and <c>SCRIPT_NAME</c>, which RFC 3875 demands, are sent empty. The values are sent in UTF-8.
    /// </summary>
    public static readonly HttpRequestOptionsKey<IReadOnlyList<KeyValuePair<string, string>>> Parameters = new("ProxyKit.FastCgi.Parameters");

    private readonly DestinationAddress _address;
    private readonly FastCgiConnectionPool? _pool;
    private FastCgiSettings? _settings;
    private bool _isDisposed;

    /// <summary>Makes a handler for one application.</summary>
    /// <param name="address"><c>fastcgi://host[:port]</c>, the port being 9000 unless it is given, or <c>fastcgi://unix:/path/to/socket</c>.</param>
    /// <exception cref="ArgumentException">It is no such address.</exception>
    public FastCgiHandler(string address)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (!DestinationAddress.TryParse(address, out var parsed) || !parsed.IsFastCgi)
            throw new ArgumentException($"'{address}' is not the address of a FastCGI application. Allowed are fastcgi://host[:port] and fastcgi://unix:/path/to/socket.", nameof(address));
        _address = parsed;
    }

    /// <summary>A cluster's: the proxy's own clock looks after idle time.</summary>
    internal FastCgiHandler(DestinationAddress address, FastCgiConnectionConfig config, TimeSpan connectTimeout, TimeProvider time, ILogger logger)
    {
        _address = address;
        (Connections, ConnectTimeout, IdleTimeout, TimeProvider, Logger) = (config, connectTimeout, Timeout.InfiniteTimeSpan, time, logger);
        _pool = new(address, config, connectTimeout, time, logger);
        _settings = Create(_pool);
    }

    /// <summary>For exchanges over something else than sockets.</summary>
    internal FastCgiHandler(FastCgiSettings settings) => (_address, _settings) = (DestinationAddress.Parse("fastcgi://localhost"), settings);

    /// <summary>How many connections there are, whether they are kept, and what is done with the application's standard error. Default: those of a new <see cref="FastCgiConnectionConfig"/>.</summary>
    public FastCgiConnectionConfig Connections
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            field = value;
        }
    } = new();

    /// <summary>How long connecting may take, the wait at a full listen backlog included; positive. Default: 5 seconds. nginx: <c>fastcgi_connect_timeout</c>.</summary>
    public TimeSpan ConnectTimeout { get; init => field = Positive(value); } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long nothing may move on a connection in use, in either direction; positive, or <see cref="Timeout.InfiniteTimeSpan"/>. Default: 60 seconds. nginx: <c>fastcgi_read_timeout</c> and
    /// <c>fastcgi_send_timeout</c>.
    /// </summary>
    public TimeSpan IdleTimeout { get; init => field = Positive(value); } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How much of a content whose length is not known is taken into memory, in bytes: FastCGI applications must be told the length first. More is an <see cref="HttpRequestException"/>.
    /// At least 0. Default: 16 MB.
    /// </summary>
    public long MaxBufferedContent
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            field = value;
        }
    } = DefaultMaxBufferedContent;

    /// <summary>Where the application's standard error and trouble with connections are logged. Default: nowhere.</summary>
    public ILogger Logger
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            field = value;
        }
    } = NullLogger.Instance;

    /// <summary>The clock of the timeouts. Default: the system's.</summary>
    public TimeProvider TimeProvider
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            field = value;
        }
    } = TimeProvider.System;

    /// <summary>A cluster's connections.</summary>
    internal FastCgiConnectionPool Pool => _pool!;

    /// <summary>The same without the detour of an <see cref="HttpMessageInvoker"/>.</summary>
    internal Task<HttpResponseMessage> ForwardAsync(HttpRequestMessage request, CancellationToken cancellationToken) => SendAsync(request, cancellationToken);

    /// <summary>The same without messages.</summary>
    /// <exception cref="UpstreamException">There is no answer.</exception>
    internal ValueTask<UpstreamResponse?> ForwardAsync(PreparedRequest request, Destination destination, InterimRelay interim, CancellationToken cancellationToken) =>
        FastCgiExchange.SendAsync(new ForwardedRequest(request, destination, interim), _settings!, cancellationToken);

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.RequestUri is not { IsAbsoluteUri: true })
            throw new InvalidOperationException("The request needs an absolute URI.");
        return ExchangeAsync(request, Settings(), cancellationToken);
    }

    /// <summary>Closes the connections that idle; those in use are closed when they are done.</summary>
    /// <param name="disposing">Whether it is not the collector that calls.</param>
    protected override void Dispose(bool disposing)
    {
        if (disposing && !Interlocked.Exchange(ref _isDisposed, true))
            Volatile.Read(ref _settings)?.Connections.Dispose();
        base.Dispose(disposing);
    }

    private static async Task<HttpResponseMessage> ExchangeAsync(HttpRequestMessage request, FastCgiSettings settings, CancellationToken cancellationToken)
    {
        try
        {
            return FastCgiContent.Message(request, (FastCgiExchange)(await FastCgiExchange.SendAsync(new FastCgiMessage(request), settings, cancellationToken))!);
        }
        catch (UpstreamException e)
        {
            throw FastCgiFailure.ForHttpClient(e);
        }
    }

    // Only now are all properties set.
    private FastCgiSettings Settings()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return Volatile.Read(ref _settings) ?? LazyInitializer.EnsureInitialized(ref _settings, () => Create(new(_address, Connections, ConnectTimeout, TimeProvider, Logger)));
    }

    private FastCgiSettings Create(FastCgiConnectionPool pool) => new(_address.UnixSocketPath ?? _address.Authority, new PooledConnections(pool), Connections, TimeProvider, Logger)
    {
        IdleTimeout = IdleTimeout,
        MaxBufferedContent = MaxBufferedContent,
    };

    private static TimeSpan Positive(TimeSpan value) => value > TimeSpan.Zero || value == Timeout.InfiniteTimeSpan
        ? value
        : throw new ArgumentOutOfRangeException(nameof(value), value, "It must be positive, or Timeout.InfiniteTimeSpan.");
}
