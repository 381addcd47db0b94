using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Logging;
using ProxyKit.Configuration;
using ProxyKit.Diagnostics;
using ProxyKit.FastCgi;

namespace ProxyKit.Forwarding;

/// <summary>Makes the connection pool of a cluster.</summary>
internal class HttpHandlerFactory(IEnumerable<HttpHandlerHook> hooks, TimeProvider time, ContentFiles files, ILoggerFactory loggers, FastCgiConnectionMetrics? fastCgiMetrics = null)
{
    private readonly ConcurrentDictionary<string, string> _unixSockets = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<string, DestinationAddress> _fastCgi = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Lets every pool reach this destination if it is behind a Unix socket, which pools know by a made-up host.</summary>
    public void Register(DestinationAddress address)
    {
        if (address.UnixSocketPath is { } path)
            _unixSockets[address.Authority] = path;
        if (address.IsFastCgi)
            _fastCgi[address.Authority] = address;
    }

    /// <summary>The pools of our own HTTP/1.1 transport; null where the cluster needs what only <see cref="SocketsHttpHandler"/> has.</summary>
    public virtual Http1.Http1Pools? CreateHttp1(ClusterConfig cluster) =>
        IsFastCgi(cluster) || hooks.Any() || cluster.HttpClient is not { WebProxy: null } ? null : new(cluster, time);

    /// <summary>The connections of a cluster whose destinations speak FastCGI; null if they do not.</summary>
    public virtual FastCgiPools? CreateFastCgi(ClusterConfig cluster) =>
        IsFastCgi(cluster) ? new(cluster, authority => _fastCgi[authority], time, loggers.CreateLogger(ProxyLog.Category), fastCgiMetrics) : null;

    public virtual HttpMessageInvoker Create(ClusterConfig cluster)
    {
        // HTTP/2 connections are closed by the idle timeout alone.
        var unkept = cluster with { HttpClient = cluster.HttpClient with { PooledConnectionLifetime = TimeSpan.Zero, PooledConnectionIdleTimeout = TimeSpan.FromSeconds(1) } };
        return new(new TlsHostLimit(CreateHandler(cluster), () => CreateHandler(unkept), cluster.HttpClient.PooledConnectionIdleTimeout, time));
    }

    private SocketsHttpHandler CreateHandler(ClusterConfig cluster)
    {
        var config = cluster.HttpClient;
        var handler = new SocketsHttpHandler
        {
            // A proxy passes on what there is: nothing is followed, decoded, remembered or added on the client's behalf.
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            ActivityHeadersPropagator = null, // ProxyTracing does it, and only when somebody listens
            UseProxy = config.WebProxy is not null,
            Proxy = config.WebProxy is { } web
                ? new WebProxy(web.Address, web.BypassOnLocal) { UseDefaultCredentials = web.UseDefaultCredentials }
                : null,
            EnableMultipleHttp2Connections = config.EnableMultipleHttp2Connections,
            MaxConnectionsPerServer = config.MaxConnectionsPerServer ?? int.MaxValue,
            MaxResponseHeadersLength = config.MaxResponseHeadersLength,
            PooledConnectionIdleTimeout = config.PooledConnectionIdleTimeout,
            PooledConnectionLifetime = config.PooledConnectionLifetime,
            ConnectTimeout = cluster.Timeouts.Connect,
            ResponseDrainTimeout = TimeSpan.FromSeconds(2),
        };
        // Bytes pass as they are; what the proxy itself puts into a header is encoded before (HeaderText).
        handler.RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1;
        handler.ResponseHeaderEncodingSelector = static (_, _) => Encoding.Latin1;
        ConfigureTls(handler.SslOptions, config);
        handler.ConnectCallback = ConnectAsync;
        foreach (var hook in hooks)
            hook.Configure(cluster, handler);
        return handler;
    }

    /// <summary>Whether the cluster speaks FastCGI; validation has seen that all its destinations do, or none.</summary>
    public static bool IsFastCgi(ClusterConfig cluster) => cluster.Destinations.Count > 0 && DestinationAddress.SpeaksFastCgi(cluster.Destinations[0].Address);

    /// <summary>Opens a connection and closes it: whether somebody listens.</summary>
    public virtual async Task TryConnectAsync(DestinationAddress address, CancellationToken cancellationToken)
    {
        // Whoever asks has a limit of their own.
        using var socket = await new Connector(address, Timeout.InfiniteTimeSpan, time).ConnectAsync(cancellationToken);
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken) =>
        new NetworkStream(await ConnectAsync(context.DnsEndPoint, cancellationToken), ownsSocket: true);

    private async Task<Socket> ConnectAsync(DnsEndPoint endPoint, CancellationToken cancellationToken)
    {
        var isUnix = _unixSockets.TryGetValue(endPoint.Host, out var path);
        var socket = isUnix
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(isUnix ? new UnixDomainSocketEndPoint(path!) : endPoint, cancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private void ConfigureTls(SslClientAuthenticationOptions tls, HttpClientConfig config)
    {
        if (config.SslProtocols is { } protocols)
            tls.EnabledSslProtocols = protocols;
        if (config.ClientCertificate is { } certificate)
            tls.ClientCertificates = [LoadCertificate(certificate)];
        if (config.DangerousAcceptAnyServerCertificate)
#pragma warning disable CA5359 // the option's name says it
            tls.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        else if (config.TrustedCertificateAuthorities is { } path)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPemFile(files.Resolve(path));
            tls.CertificateChainPolicy = policy;
        }
    }

    private X509Certificate2 LoadCertificate(ClientCertificateConfig config)
    {
        var path = files.Resolve(config.Path);
        var keyPath = config.KeyPath is null ? null : files.Resolve(config.KeyPath);
        if (config.Path.EndsWith(".pfx", StringComparison.OrdinalIgnoreCase) || config.Path.EndsWith(".p12", StringComparison.OrdinalIgnoreCase))
            return X509CertificateLoader.LoadPkcs12FromFile(path, config.Password);
        using var pem = config.Password is null
            ? X509Certificate2.CreateFromPemFile(path, keyPath)
            : X509Certificate2.CreateFromEncryptedPemFile(path, config.Password, keyPath);
        // SslStream on Windows cannot use the ephemeral key of a PEM file.
        return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
    }
}

/// <summary>A user's last word on the <see cref="SocketsHttpHandler"/> of each cluster.</summary>
internal sealed record HttpHandlerHook(Action<ClusterConfig, SocketsHttpHandler> Configure);
