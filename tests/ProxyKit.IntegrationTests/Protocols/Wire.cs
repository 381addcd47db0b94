using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace ProxyKit.IntegrationTests.Protocols;

/// <summary>What a connection speaks: the version, and whether in TLS.</summary>
public enum Wire
{
    Http1,
    Http1Tls,
    H2C,
    H2Tls,
}

/// <summary>Peers that speak a given <see cref="Wire"/>.</summary>
internal static class Peers
{
    /// <summary>Nothing here takes longer, unless it hangs.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static bool IsTls(this Wire wire) => wire is Wire.Http1Tls or Wire.H2Tls;

    public static Version Version(this Wire wire) => wire is Wire.H2C or Wire.H2Tls ? HttpVersion.Version20 : HttpVersion.Version11;

    public static Task<KestrelApp> StartAsync(
        Wire wire, Action<WebApplication> map, Action<IServiceCollection>? services = null, Action<KestrelServerOptions>? kestrel = null) =>
        KestrelApp.StartAsync(
            map,
            services,
            wire is Wire.H2C or Wire.H2Tls ? HttpProtocols.Http2 : HttpProtocols.Http1,
            listen =>
            {
                if (wire.IsTls())
                    listen.UseHttps(Certificates.Loopback);
            },
            kestrel);

    public static Task<KestrelApp> StartAsync(Wire wire, Microsoft.AspNetCore.Http.RequestDelegate answer) => StartAsync(wire, app => app.Run(answer));

    /// <summary>A proxy that speaks <paramref name="wire"/> to clients and maps everything to one upstream; of a TLS upstream it trusts the test authority.</summary>
    public static Task<KestrelApp> StartProxyAsync(
        Wire wire, string upstream, Action<ProxyRouteBuilder>? route = null, Action<KestrelServerOptions>? kestrel = null, Action<ReverseProxyOptions>? options = null) =>
        StartAsync(
            wire,
            app =>
            {
                var builder = app.MapProxy("/{**path}", upstream);
                if (upstream.StartsWith("https:", StringComparison.Ordinal))
                    builder.WithHttpClient(c => c.TrustedCertificateAuthorities = AuthorityFile.Value);
                route?.Invoke(builder);
            },
            services =>
            {
                services.AddLogging(logging => logging.AddFilter("ProxyKit", LogLevel.Debug));
                services.AddReverseProxy(options ?? (static _ => { }));
            },
            kestrel);

    /// <summary>The test authority's certificate in a PEM file.</summary>
    public static Lazy<string> AuthorityFile { get; } = new(() =>
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("proxykit-ca-").FullName, "ca.pem");
        File.WriteAllText(path, Certificates.Authority.ExportCertificatePem());
        return path;
    });

    public static ProxyRouteBuilder WithUpstream(this ProxyRouteBuilder route, Wire wire) => wire switch
    {
        Wire.H2C or Wire.H2Tls => route.WithHttpRequest(r => (r.Version, r.VersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact)),
        _ => route.WithHttpRequest(r => r.Version = HttpVersion.Version11),
    };

    public static SocketsHttpHandler CreateHandler() => new()
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        EnableMultipleHttp2Connections = true,
        SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
    };

    public static HttpClient CreateClient(this KestrelApp app, Wire wire) => new(CreateHandler())
    {
        BaseAddress = app.Address,
        DefaultRequestVersion = wire.Version(),
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Timeout = Patience,
    };

    /// <summary>Waits for a log record with this event name of the proxy's.</summary>
    public static async Task<FakeLogRecord> LoggedAsync(this KestrelApp app, string eventName)
    {
        using var limit = new CancellationTokenSource(Patience);
        await foreach (var record in app.Logs.GetLogsAsync(cancellationToken: limit.Token))
        {
            if (record.Category == "ProxyKit" && record.Id.Name == eventName)
                return record;
        }
        throw new InvalidOperationException($"There was no {eventName}.");
    }

    /// <summary>Waits until nothing is under way at any destination of the proxy.</summary>
    public static Task IdleAsync(this KestrelApp app, Func<int> active) => EventuallyAsync(() => active() == 0);

    /// <summary>Waits for what says nowhere that it has come about.</summary>
    public static async Task EventuallyAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!condition())
            await Task.Delay(5, limit.Token);
    }

    public static async Task<string> ReadSomeAsync(this Stream stream, int bytes)
    {
        var buffer = new byte[bytes];
        await stream.ReadExactlyAsync(buffer).AsTask().WaitAsync(Patience);
        return Encoding.Latin1.GetString(buffer);
    }

    /// <summary>Bytes that differ from place to place, and by seed.</summary>
    public static byte[] Bytes(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}

/// <summary>A request body that the test writes piece by piece.</summary>
internal sealed class LiveContent : HttpContent
{
    private readonly TaskCompletionSource<Stream> _stream = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async Task WriteAsync(byte[] bytes)
    {
        var stream = await _stream.Task.WaitAsync(Peers.Patience);
        await stream.WriteAsync(bytes);
        await stream.FlushAsync();
    }

    public Task WriteAsync(string text) => WriteAsync(Encoding.Latin1.GetBytes(text));

    public void End() => _end.TrySetResult();

    public void Fail() => _end.TrySetException(new IOException("The test breaks its body off."));

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.FlushAsync(cancellationToken);
        _stream.TrySetResult(stream);
        await _end.Task.WaitAsync(cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
