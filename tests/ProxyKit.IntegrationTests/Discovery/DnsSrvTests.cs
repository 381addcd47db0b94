using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ProxyKit.IntegrationTests.Discovery;

/// <summary>SRV records, asked for over UDP.</summary>
public sealed class DnsSrvTests : IAsyncLifetime
{
    private const string Service = "_http._tcp.orders.test";

    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    private readonly DnsServer _dns = new();
    private KestrelApp? _proxy;
    private IReadOnlyList<Destination> _found = [];

    public ValueTask InitializeAsync() => default;

    [Fact]
    public async Task Ports_weights_and_priorities_come_from_the_records_and_addresses_from_what_is_sent_along()
    {
        await using var upstream = RawUpstream.KeepAlive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        _dns.SetSrv(Service, 60,
            [(20, 5, 8080, "spare.orders.test"), (10, 60, upstream.Port, "one.orders.test"), (10, 40, 80, "two.orders.test")],
            ("one.orders.test", "127.0.0.1"), ("two.orders.test", "10.0.0.2"), ("spare.orders.test", "10.0.0.3"));
        await StartAsync($"http://{Service}/base", d => d.Name = "orders");

        var found = (await FoundAsync()).Select(d => d.Config).ToArray();

        Assert.Equal(
            [
                ($"orders (127.0.0.1:{upstream.Port})", $"http://127.0.0.1:{upstream.Port}/base", $"one.orders.test:{upstream.Port}", 60, false),
                ("orders (10.0.0.2)", "http://10.0.0.2:80/base", "two.orders.test", 40, false),
                ("orders (10.0.0.3:8080)", "http://10.0.0.3:8080/base", "spare.orders.test:8080", 5, true),
            ],
            found.Select(d => (d.Name!, d.Address, d.Host!, d.Weight, d.Backup)));
        Assert.Equal([(Service, DnsServer.Srv)], _dns.Asked.Distinct());
    }

    [Fact]
    public async Task A_request_reaches_the_target_by_its_name_and_port()
    {
        await using var upstream = RawUpstream.KeepAlive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        _dns.SetSrv(Service, 60, [(0, 0, upstream.Port, "one.orders.test")]);
        _dns.SetAddresses("one.orders.test", 60, "127.0.0.1");
        await StartAsync($"http://{Service}");

        using var client = new HttpClient { BaseAddress = _proxy!.Address };
        Assert.Equal("ok", await client.GetStringAsync("/x"));

        Assert.Contains($"Host: one.orders.test:{upstream.Port}\r\n", Assert.Single(upstream.Requests), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DiscoveryAddressFamily.PreferIPv4, "http://10.0.0.1:81")]
    [InlineData(DiscoveryAddressFamily.PreferIPv6, "http://[fd00::1]:81")]
    [InlineData(DiscoveryAddressFamily.IPv6, "http://[fd00::1]:81")]
    [InlineData(DiscoveryAddressFamily.All, "http://10.0.0.1:81 http://[fd00::1]:81")]
    public async Task The_addresses_of_the_wanted_family_are_asked_for(DiscoveryAddressFamily family, string expected)
    {
        _dns.SetSrv(Service, 60, [(0, 0, 81, "one.orders.test")], ("one.orders.test", "10.0.0.1"));
        _dns.SetAddresses("one.orders.test", 60, "10.0.0.1", "fd00::1");
        await StartAsync($"http://{Service}", discovery: d => d.AddressFamily = family);

        Assert.Equal(expected, string.Join(' ', (await FoundAsync()).Select(d => d.Config.Address)));
    }

    [Theory]
    [InlineData(20, 60, 20)]
    [InlineData(60, 20, 20)]
    [InlineData(0, 60, 5)]
    [InlineData(86400, 86400, 300)]
    public async Task The_shortest_time_to_live_within_the_limits_says_when_to_ask_again(uint srv, uint address, int seconds)
    {
        _dns.SetSrv(Service, srv, [(0, 0, 81, "one.orders.test")]);
        _dns.SetAddresses("one.orders.test", address, "10.0.0.1");
        await StartAsync($"http://{Service}");

        var answer = await _proxy!.Services.GetServices<IDestinationSource>().Single(s => s.Name == "DnsSrv")
            .ResolveAsync(new("orders", new() { Address = $"http://{Service}" }, new()), CancellationToken.None);

        Assert.Equal(TimeSpan.FromSeconds(seconds), answer.RefreshAfter);
    }

    [Fact]
    public async Task Records_change_and_what_stays_is_the_same_destination_with_its_new_weight()
    {
        _dns.SetSrv(Service, 1, [(0, 1, 81, "one.orders.test"), (0, 1, 81, "two.orders.test")], ("one.orders.test", "10.0.0.1"), ("two.orders.test", "10.0.0.2"));
        await StartAsync($"http://{Service}", minRefreshInterval: s_second);
        var two = (await FoundAsync())[1];

        _dns.SetSrv(Service, 1, [(0, 9, 81, "two.orders.test")], ("two.orders.test", "10.0.0.2"));
        await UntilAsync(found => found.Count == 1);

        Assert.Same(two, _found[0]);
        Assert.Equal(9, two.Config.Weight);
    }

    [Fact]
    public async Task A_failing_server_leaves_all_as_it_is_and_a_dot_for_a_target_means_there_is_none()
    {
        _dns.SetSrv(Service, 1, [(0, 1, 81, "one.orders.test")], ("one.orders.test", "10.0.0.1"));
        await StartAsync($"http://{Service}", discovery: d => d.HoldTime = TimeSpan.Zero, minRefreshInterval: s_second);

        _dns.Fail(Service, DnsServer.Srv, 2);
        while (!_proxy!.Logs.GetSnapshot().Any(line => line.Id.Name == "ResolutionFailed"))
            Assert.Single(await FoundAsync());
        Assert.Contains($"SRV {Service}: ", _proxy.Logs.GetSnapshot().First(line => line.Id.Name == "ResolutionFailed").Message, StringComparison.Ordinal);

        _dns.SetSrv(Service, 1, [(0, 0, 0, ".")]);
        await UntilAsync(found => found.Count == 0);
    }

    [Fact]
    public async Task A_name_that_does_not_exist_has_no_destinations()
    {
        await StartAsync("http://_http._tcp.nowhere.test");

        Assert.Empty(await FoundAsync());
        Assert.Contains(_proxy!.Logs.GetSnapshot(), line => line.Id.Name == "NoDestinations");
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_a_failure()
    {
        using var silent = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Dgram, System.Net.Sockets.ProtocolType.Udp);
        silent.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));

        await StartAsync($"http://{Service}", discovery: d => d.Timeout = TimeSpan.FromMilliseconds(200), server: silent.LocalEndPoint!.ToString());

        Assert.Contains(_proxy!.Logs.GetSnapshot(), line => line.Id.Name == "ResolutionFailed" && line.Message.Contains("No answer within 00:00:00.2000000.", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://_http._tcp.orders.test:8080", "'http://_http._tcp.orders.test:8080' names a port, which is for the SRV records to do.")]
    [InlineData("http://10.0.0.1", "'http://10.0.0.1' is not the name of SRV records, such as http://_http._tcp.orders.internal.")]
    [InlineData("ftp://orders", "'ftp://orders' is not the name of SRV records, such as http://_http._tcp.orders.internal.")]
    public async Task What_is_no_name_of_records_is_an_error(string address, string expected)
    {
        var exception = await Assert.ThrowsAsync<ProxyConfigurationException>(() => StartAsync(address));

        Assert.Equal($"Cluster '/{{**path}}': {expected}", Assert.Single(exception.Errors));
    }

    [Fact]
    public async Task Settings_that_are_not_valid_are_an_error()
    {
        var exception = await Assert.ThrowsAsync<OptionsValidationException>(() => KestrelApp.StartAsync(_ => { }, services => services.AddReverseProxy().AddDnsSrv(o =>
        {
            o.NameServers.Add("dns.example");
            o.MinRefreshInterval = TimeSpan.FromHours(1);
        })));

        Assert.Equal(
            ["DnsSrvOptions.NameServers: 'dns.example' is not an IP address, with a port if wanted.",
            "DnsSrvOptions.MinRefreshInterval is 01:00:00 and MaxRefreshInterval is 00:05:00; they must be 1 second to 1 day, the first not longer than the second."],
            exception.Failures);
    }

    private async Task StartAsync(string address, Action<DestinationOptions>? destination = null, Action<DiscoveryOptions>? discovery = null, string? server = null, TimeSpan? minRefreshInterval = null) =>
        _proxy = await KestrelApp.StartAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    await next(context);
                    _found = context.GetProxyContext()?.AvailableDestinations ?? _found;
                });
                app.MapGet("/found", () => "");
                app.MapProxy("/{**path}").WithDestination(address, destination ?? (_ => { }))
                    .WithDiscovery(d =>
                    {
                        d.Source = "DnsSrv";
                        discovery?.Invoke(d);
                    })
                    .WithTimeouts(t => t.Connect = TimeSpan.FromMilliseconds(100));
            },
            services => services.AddReverseProxy().AddDnsSrv(o =>
            {
                o.NameServers.Add(server ?? _dns.Address);
                o.MinRefreshInterval = minRefreshInterval ?? o.MinRefreshInterval;
            }));

    /// <summary>What a request finds; it is not answered, for those addresses are nobody's.</summary>
    private async Task<IReadOnlyList<Destination>> FoundAsync()
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Trace, _proxy!.Address); // refused before it is forwarded
        using var response = await client.SendAsync(request);
        return _found;
    }

    private async Task UntilAsync(Func<IReadOnlyList<Destination>, bool> condition)
    {
        while (!condition(await FoundAsync()))
            await Task.Yield();
    }

    public async ValueTask DisposeAsync()
    {
        if (_proxy is not null)
            await _proxy.DisposeAsync();
        await _dns.DisposeAsync();
    }
}
