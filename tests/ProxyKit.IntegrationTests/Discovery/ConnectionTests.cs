using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Discovery;

/// <summary>What a change of addresses does to connections.</summary>
public class ConnectionTests
{
    [Fact]
    public async Task The_connection_to_an_address_that_stays_is_used_again_and_that_to_one_that_is_gone_is_closed()
    {
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var stays = Upstream();
        await using var goes = new RawUpstream(async connection =>
        {
            try
            {
                while (true)
                {
                    await connection.ReadRequestAsync();
                    await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                }
            }
            catch (Exception e) when (e is EndOfStreamException or SocketException)
            {
                closed.TrySetResult();
            }
        });
        await using var comes = Upstream();
        var source = new SwitchedSource(stays.Url, goes.Url);
        await using var proxy = await StartAsync(source);
        using var client = new HttpClient { BaseAddress = proxy.Address };
        await ReachAsync(client, stays, goes);

        source.Switch(stays.Url, comes.Url);
        await ReachAsync(client, comes);
        await closed.Task.WaitAsync(TimeSpan.FromSeconds(10));
        var before = stays.Requests.Count;
        while (stays.Requests.Count < before + 5)
            await client.GetStringAsync("/");

        Assert.Equal(1, stays.Connections);
    }

    [Fact]
    public async Task The_same_holds_over_TLS()
    {
        await using var upstream = await KestrelApp.StartAsync(
            app => app.Run(context => context.Response.WriteAsync(context.Connection.Id)), listen: listen => listen.UseHttps(Certificates.Loopback));
        var source = new SwitchedSource(upstream.Url);
        await using var proxy = await StartAsync(source, route => route.WithHttpClient(c => c.TrustedCertificateAuthorities = Peers.AuthorityFile.Value));
        using var client = new HttpClient { BaseAddress = proxy.Address };
        var connection = await client.GetStringAsync("/");
        await using var other = Upstream();

        source.Switch(upstream.Url, other.Url);
        await ReachAsync(client, other);
        source.Switch(upstream.Url);

        for (var again = 0; again < 5;)
        {
            if (await client.GetStringAsync("/") is not "ok" and var answer) // the other's, until the switch is in force
            {
                Assert.Equal(connection, answer);
                again++;
            }
        }
    }

    [Fact]
    public async Task A_request_under_way_to_an_address_that_is_gone_ends_well()
    {
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var goes = new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nslow");
            await answer.Task;
            await connection.SendAsync("mono");
        });
        await using var comes = Upstream();
        var source = new SwitchedSource(goes.Url);
        await using var proxy = await StartAsync(source);
        using var client = new HttpClient { BaseAddress = proxy.Address };
        using var underWay = await client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);

        source.Switch(comes.Url);
        await ReachAsync(client, comes);
        answer.SetResult();

        Assert.Equal("slowmono", await underWay.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_name_is_resolved_by_the_system_and_stays_in_Host_and_in_the_handshake()
    {
        string? serverName = null;
        await using var upstream = await KestrelApp.StartAsync(
            app => app.Run(context => context.Response.WriteAsync($"{context.Request.Host} at {context.Connection.LocalIpAddress}")),
            listen: listen => listen.UseHttps(https => https.ServerCertificateSelector = (_, name) =>
            {
                serverName = name;
                return s_localhostOnly.Value;
            }));
        await using var proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    context.Response.OnStarting(() =>
                    {
                        context.Response.Headers["X-Destination"] = context.GetProxyContext()!.Destination!.Config.Address;
                        return Task.CompletedTask;
                    });
                    await next(context);
                });
                app.MapProxy("/{**path}", $"https://localhost:{upstream.Port}").WithDiscovery(d => d.AddressFamily = DiscoveryAddressFamily.IPv4)
                    .WithHttpClient(c => c.TrustedCertificateAuthorities = Peers.AuthorityFile.Value);
            },
            services => services.AddReverseProxy());
        using var client = new HttpClient { BaseAddress = proxy.Address };

        using var response = await client.GetAsync("/");

        Assert.Equal($"localhost:{upstream.Port} at 127.0.0.1", await response.Content.ReadAsStringAsync());
        Assert.Equal($"https://127.0.0.1:{upstream.Port}", Assert.Single(response.Headers.GetValues("X-Destination")));
        Assert.Equal("localhost", serverName);
    }

    // A certificate that an address would not do for.
    private static readonly Lazy<System.Security.Cryptography.X509Certificates.X509Certificate2> s_localhostOnly = new(() => Certificates.Issue("localhost", withAddress: false));

    private static RawUpstream Upstream() => RawUpstream.KeepAlive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");

    private static Task<KestrelApp> StartAsync(SwitchedSource source, Action<ProxyRouteBuilder>? configure = null) => KestrelApp.StartAsync(
        app =>
        {
            var route = app.MapProxy("/{**path}", "http://name").WithDiscovery("Switched");
            configure?.Invoke(route);
        },
        services =>
        {
            services.AddReverseProxy();
            services.AddSingleton<IDestinationSource>(source);
        });

    /// <summary>Sends requests until each of these has had one.</summary>
    private static async Task ReachAsync(HttpClient client, params RawUpstream[] upstreams)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!Array.TrueForAll(upstreams, u => u.Requests.Count > 0))
        {
            // One that is on its way to an address that is about to go may not be answered to its end yet.
            using var response = await client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead, limit.Token);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
    }

    private sealed class SwitchedSource(params string[] addresses) : IDestinationSource
    {
        private readonly Lock _lock = new();
        private CancellationTokenSource _changed = new();
        private string[] _addresses = addresses;

        public string Name => "Switched";

        public void Switch(params string[] addresses)
        {
            CancellationTokenSource old;
            lock (_lock)
                (old, _changed, _addresses) = (_changed, new(), addresses);
            old.Cancel();
        }

        public ValueTask<ResolvedDestinations> ResolveAsync(DiscoveryQuery query, CancellationToken cancellationToken)
        {
            lock (_lock)
                return new(new ResolvedDestinations([.. _addresses.Select(a => new ResolvedDestination(a))]) { RefreshAfter = Timeout.InfiniteTimeSpan, ChangeToken = new CancellationChangeToken(_changed.Token) });
        }
    }
}
