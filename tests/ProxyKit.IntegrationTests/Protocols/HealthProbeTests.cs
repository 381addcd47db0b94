using Grpc.AspNetCore.Server.Model;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ProxyKit.IntegrationTests.Protocols;

/// <summary>Probes over real sockets, against real servers.</summary>
public sealed class HealthProbeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("proxykit-health-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(Wire.Http1, null)]
    [InlineData(Wire.Http1, "/up")]
    [InlineData(Wire.Http1Tls, "/up")]
    [InlineData(Wire.H2Tls, "/up")]
    public async Task A_server_is_healthy_until_it_is_gone(Wire wire, string? path)
    {
        var upstream = await Peers.StartAsync(wire, app => app.MapGet("/up", () => "up"));
        await using var proxy = await StartProxyAsync(wire, upstream.Url, h => h.Active.Path = path);
        await proxy.LoggedAsync("DestinationHealthy");

        await upstream.DisposeAsync();

        await proxy.LoggedAsync("DestinationUnhealthy"); // refused, or reset if the probe was under way
    }

    [Fact]
    public async Task A_certificate_that_nobody_vouches_for_is_no_health()
    {
        await using var upstream = await Peers.StartAsync(Wire.Http1Tls, app => app.MapGet("/up", () => "up"));
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/{**path}", upstream.Url).WithHealthChecks("/up"), services => services.AddReverseProxy());

        Assert.Contains("certificate", (await proxy.LoggedAsync("DestinationUnhealthy")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("/up")]
    public async Task A_Unix_socket_is_probed(string? path)
    {
        var socket = Path.Combine(_folder, "app.sock");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(socket));
        await using var upstream = builder.Build();
        upstream.MapGet("/up", () => "up");
        await upstream.StartAsync(TestContext.Current.CancellationToken);
        await using var proxy = await StartProxyAsync(Wire.Http1, $"http://unix:{socket}", h => h.Active.Path = path);
        await proxy.LoggedAsync("DestinationHealthy");

        await upstream.StopAsync(TestContext.Current.CancellationToken);

        await proxy.LoggedAsync("DestinationUnhealthy");
    }

    [Theory]
    [InlineData(Wire.H2C)]
    [InlineData(Wire.H2Tls)]
    public async Task A_gRPC_server_is_asked_for_a_service(Wire wire)
    {
        var health = new GrpcHealth();
        await using var upstream = await Peers.StartAsync(
            wire,
            app => app.MapGrpcService<GrpcHealth>(),
            services =>
            {
                services.AddGrpc();
                services.AddSingleton(health);
            });
        await using var proxy = await StartProxyAsync(wire, upstream.Url, h => (h.Active.Probe, h.Active.GrpcService) = (HealthProbe.Grpc, "orders"));
        await proxy.LoggedAsync("DestinationHealthy");
        Assert.Equal("0A066F7264657273", health.Asked);

        health.Status = 2;

        Assert.Contains("NOT_SERVING", (await proxy.LoggedAsync("DestinationUnhealthy")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_without_the_gRPC_health_service_is_not_healthy()
    {
        await using var upstream = await Peers.StartAsync(Wire.H2C, app => app.MapGrpcService<GrpcEcho>(), services => services.AddGrpc());
        await using var proxy = await StartProxyAsync(Wire.H2C, upstream.Url, h => h.Active.Probe = HealthProbe.Grpc);

        Assert.EndsWith("grpc-status 12", (await proxy.LoggedAsync("DestinationUnhealthy")).Message, StringComparison.Ordinal); // UNIMPLEMENTED
    }

    private static Task<KestrelApp> StartProxyAsync(Wire wire, string upstream, Action<ClusterHealthCheckOptions> check) => Peers.StartProxyAsync(
        Wire.Http1, upstream, route =>
        {
            if (wire.IsTls())
                route.WithHttpClient(c => c.TrustedCertificateAuthorities = Peers.AuthorityFile.Value);
            route.WithHealthChecks(h =>
            {
                h.Active.Interval = TimeSpan.FromMilliseconds(50);
                h.Active.Fall = 1;
                check(h);
            });
        });

    /// <summary>The gRPC health service without generated code.</summary>
    [BindServiceMethod(typeof(GrpcHealth), nameof(Bind))]
    internal class GrpcHealth
    {
        private static readonly Marshaller<byte[]> s_bytes = Marshallers.Create(b => b, b => b);
        private static readonly Method<byte[], byte[]> s_check = new(MethodType.Unary, "grpc.health.v1.Health", "Check", s_bytes, s_bytes);

        public volatile byte Status = 1;

        public string? Asked { get; private set; }

        public static void Bind(ServiceBinderBase binder, GrpcHealth? service) => binder.AddMethod(s_check, service is null ? null : service.Check);

        public virtual Task<byte[]> Check(byte[] request, ServerCallContext context)
        {
            Asked = Convert.ToHexString(request);
            return Task.FromResult<byte[]>([8, Status]);
        }
    }
}
