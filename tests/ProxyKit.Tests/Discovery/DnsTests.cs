using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using System.Diagnostics.Metrics;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Discovery;

/// <summary>Names in DNS: one configured destination, as many real ones as the name has addresses, whatever becomes of them.</summary>
public class DnsTests
{
    private const string One = "http://10.0.0.1:8080", Two = "http://10.0.0.2:8080", Three = "http://10.0.0.3:8080";

    [Fact]
    public async Task Each_address_of_a_name_is_a_destination_that_is_sent_the_name()
    {
        await using var app = await DiscoveryApp.StartAsync(
            dns => dns["web"] = ["10.0.0.1"],
            services => services.AddReverseProxy(),
            map => map.MapProxy("/{**path}").WithDestination("http://web:8080/base", d => (d.Name, d.Weight, d.MaxConcurrentRequests) = ("web", 7, 5)).WithDiscovery());

        Assert.Equal("10.0.0.1:8080 web:8080 /base/x", await app.App.Client.GetStringAsync("/x"));
        var destination = (await app.App.OutcomeAsync()).Destination!;
        Assert.Equal(("web (10.0.0.1)", "http://10.0.0.1:8080/base", 7, 5), (destination.Name, destination.Config.Address, destination.Config.Weight, destination.Config.MaxConcurrentRequests));
    }

    [Fact]
    public async Task A_configured_host_stays()
    {
        await using var app = await DiscoveryApp.StartAsync(dns => dns["web"] = ["10.0.0.1"], destination: d => d.Host = "public.example");

        Assert.Equal("10.0.0.1:8080 public.example /", await app.App.Client.GetStringAsync("/"));
    }

    [Fact]
    public async Task The_dot_that_ends_a_name_is_not_sent()
    {
        await using var app = await DiscoveryApp.StartAsync(
            dns => dns["web."] = ["10.0.0.1"], services => services.AddReverseProxy(), map => map.MapProxy("/", "http://web.:8080").WithDiscovery());

        Assert.Equal("10.0.0.1:8080 web:8080 /", await app.App.Client.GetStringAsync("/"));
    }

    [Fact]
    public async Task Addresses_come_and_go_and_what_stays_is_the_same_destination()
    {
        await using var app = await DiscoveryApp.StartAsync(dns => dns["web"] = ["10.0.0.1", "10.0.0.2"]);
        var before = await app.FoundAsync();
        Assert.Equal([One, Two], before.Select(d => d.Config.Address));

        app.Dns["web"] = ["10.0.0.3", "10.0.0.2"];
        await app.FindsAsync(Two, Three);

        Assert.Same(before[1], (await app.FoundAsync())[0]);
        Assert.Equal("Cluster /{**path}: http://web:8080 has 2 destinations now: +http://10.0.0.3:8080, -http://10.0.0.1:8080",
            app.App.Logs.GetSnapshot().Last(line => line.Id.Id == 100).Message);
    }

    [Fact]
    public async Task A_request_under_way_to_an_address_that_is_gone_ends_well()
    {
        Dictionary<string, TestDestination> upstreams = [];
        await using var app = await DiscoveryApp.StartAsync(
            dns => dns["web"] = ["10.0.0.1"], services => services.AddReverseProxy(),
            map => map.MapProxy("/{**path}", "http://web:8080").WithDiscovery().WithTimeouts(t => t.FirstByte = Timeout.InfiniteTimeSpan),
            DiscoveryApp.Destinations(all => upstreams = all));
        var answer = new TaskCompletionSource<HttpResponseMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        upstreams["10.0.0.1:8080"].Stall().Times(1);
        using var leave = new CancellationTokenSource();
        var underWay = app.App.Client.GetAsync("/", leave.Token);
        await ProxyApp.ReachedAsync(upstreams["10.0.0.1:8080"]);
        app.Dns["web"] = ["10.0.0.2"];
        await app.FindsAsync(Two);

        Assert.False(underWay.IsCompleted);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => underWay);
        Assert.Equal(ProxyError.ClientAborted, (await app.App.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task An_answer_in_another_order_changes_nothing()
    {
        await using var app = await DiscoveryApp.StartAsync(dns => dns["web"] = ["10.0.0.1", "10.0.0.2"]);
        app.App.Logs.Clear();

        app.Dns["web"] = ["10.0.0.2", "10.0.0.1", "10.0.0.2"];
        await app.AsksAsync(3);

        Assert.Equal([One, Two], await app.AddressesAsync());
        Assert.DoesNotContain(app.App.Logs.GetSnapshot(), line => line.Id.Name == "DestinationsChanged");
    }

    [Fact]
    public async Task Questions_are_asked_at_the_interval_give_or_take_a_tenth()
    {
        await using var app = await DiscoveryApp.StartAsync(dns => dns["web"] = ["10.0.0.1"], d => d.RefreshInterval = TimeSpan.FromMinutes(10));

        await app.AsksAsync(20);

        var times = app.Dns.Asked.Select(a => a.At).ToArray();
        var gaps = times.Zip(times.Skip(1), (a, b) => (b - a).TotalSeconds).ToArray();
        Assert.All(gaps, gap => Assert.InRange(gap, 540, 661));
        Assert.True(gaps.Distinct().Count() > 1);
    }

    [Fact]
    public async Task A_failure_leaves_the_addresses_as_they_are_and_is_tried_again_soon()
    {
        await using var app = await DiscoveryApp.StartAsync(dns => dns["web"] = ["10.0.0.1"], d => d.HoldTime = TimeSpan.Zero);
        using var resolutions = new MetricCollector<long>(app.App.Services.GetRequiredService<IMeterFactory>(), "ProxyKit", "proxykit.discovery.resolutions");

        app.Dns.Fail("web");
        await app.AsksAsync(8);

        Assert.Equal([One], await app.AddressesAsync());
        var message = await app.LogsAsync("ResolutionFailed");
        Assert.StartsWith("Cluster /{**path}: http://web:8080 was not resolved by Dns: ", message, StringComparison.Ordinal);
        Assert.Contains("Its 1 known destinations stay; next attempt in ", message, StringComparison.Ordinal);
        var times = app.Dns.Asked.Select(a => a.At).ToArray();
        var gaps = times.Zip(times.Skip(1), (a, b) => (b - a).TotalSeconds).Skip(1).ToArray();
        Assert.All(gaps.Zip([1, 2, 4, 8, 16, 30]), pair => Assert.InRange(pair.First, (pair.Second * 0.9) - 0.1, (pair.Second * 1.1) + 0.2));
        var measured = resolutions.GetMeasurementSnapshot()[0];
        Assert.Equal(("/{**path}", "Dns", "failure"), (measured.Tags["proxykit.cluster"], measured.Tags["proxykit.discovery.source"], measured.Tags["result"]));

        app.Dns["web"] = ["10.0.0.2"];
        await app.FindsAsync(Two);
        Assert.Equal("success", resolutions.GetMeasurementSnapshot()[^1].Tags["result"]);
    }

    [Fact]
    public async Task An_app_whose_names_do_not_resolve_yet_starts_and_answers_503_until_they_do()
    {
        await using var app = await DiscoveryApp.StartAsync(dns => dns.Fail("web"));

        using var response = await app.App.Client.GetAsync("/");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(ProxyError.NoAvailableDestinations, (await app.App.OutcomeAsync()).Error);
        Assert.Contains("Its 0 known destinations stay", await app.LogsAsync("ResolutionFailed"), StringComparison.Ordinal);

        app.Dns["web"] = ["10.0.0.1"];
        await app.FindsAsync(One);
    }

    [Fact]
    public async Task Startup_waits_for_the_first_answer_but_not_for_ever()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var starting = DiscoveryApp.StartAsync(
            dns => { dns.Stall("web"); asked.SetResult(); },
            services => services.AddSingleton<TimeProvider>(time).AddReverseProxy(), map => map.MapProxy("/{**path}", "http://web:8080").WithDiscovery(d => d.Timeout = TimeSpan.FromSeconds(3)));
        await asked.Task;
        Assert.False(starting.IsCompleted);

        while (!starting.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await using var app = await starting;
        Assert.Contains("No answer within 00:00:03.", await app.LogsAsync("ResolutionFailed"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_is_gone_keeps_its_addresses_for_the_hold_time()
    {
        await using var app = await DiscoveryApp.StartAsync(dns => dns["web"] = ["10.0.0.1"], d => d.HoldTime = TimeSpan.FromMinutes(5));

        app.Dns["web"] = [];
        Assert.StartsWith("Cluster /{**path}: http://web:8080 has no destination any more, says Dns; the 1 it had are kept for 300 s more", await app.LogsAsync("DestinationsHeld"), StringComparison.Ordinal);
        var gone = app.App.Time.GetUtcNow();
        Assert.Equal([One], await app.AddressesAsync());

        await app.FindsAsync();
        Assert.InRange((app.App.Time.GetUtcNow() - gone).TotalSeconds, 295, 310);
        Assert.Equal("Cluster /{**path}: http://web:8080 has no destination, says Dns", await app.LogsAsync("NoDestinations"));

        app.Dns["web"] = ["10.0.0.2"];
        await app.FindsAsync(Two);
    }

    [Fact]
    public async Task Without_a_hold_time_it_loses_them_at_once_and_with_an_infinite_one_never()
    {
        await using var at_once = await DiscoveryApp.StartAsync(dns => dns["web"] = ["10.0.0.1"], d => d.HoldTime = TimeSpan.Zero);
        at_once.Dns["web"] = [];
        await at_once.AsksAsync(2);
        Assert.Empty(await at_once.AddressesAsync());

        await using var never = await DiscoveryApp.StartAsync(dns => dns["web"] = ["10.0.0.1"], d => d.HoldTime = Timeout.InfiniteTimeSpan);
        never.Dns["web"] = [];
        await never.AsksAsync(50);
        Assert.Equal([One], await never.AddressesAsync());
        Assert.Contains("kept until there are others", await never.LogsAsync("DestinationsHeld"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DiscoveryAddressFamily.PreferIPv4, "10.0.0.1 fd00::1", "http://10.0.0.1:8080")]
    [InlineData(DiscoveryAddressFamily.PreferIPv4, "fd00::1", "http://[fd00::1]:8080")]
    [InlineData(DiscoveryAddressFamily.PreferIPv6, "10.0.0.1 fd00::1", "http://[fd00::1]:8080")]
    [InlineData(DiscoveryAddressFamily.PreferIPv6, "10.0.0.1", "http://10.0.0.1:8080")]
    [InlineData(DiscoveryAddressFamily.IPv4, "10.0.0.1 fd00::1", "http://10.0.0.1:8080")]
    [InlineData(DiscoveryAddressFamily.IPv4, "fd00::1", "")]
    [InlineData(DiscoveryAddressFamily.IPv6, "10.0.0.1 fd00::1", "http://[fd00::1]:8080")]
    [InlineData(DiscoveryAddressFamily.All, "10.0.0.1 fd00::1", "http://10.0.0.1:8080 http://[fd00::1]:8080")]
    [InlineData(DiscoveryAddressFamily.PreferIPv6, "10.0.0.1 fe80::1", "http://10.0.0.1:8080")]
    public async Task The_addresses_of_the_wanted_family_are_used(DiscoveryAddressFamily family, string addresses, string expected)
    {
        await using var app = await DiscoveryApp.StartAsync(dns => dns["web"] = addresses.Split(' '), d => d.AddressFamily = family);

        Assert.Equal(expected, string.Join(' ', await app.AddressesAsync()));
    }

    [Theory]
    [InlineData("http://10.0.0.1:8080")]
    [InlineData("http://[fd00::1]:8080")]
    [InlineData("http://unix:/run/web.sock")]
    public async Task What_is_no_name_is_not_looked_up(string address)
    {
        await using var app = await DiscoveryApp.StartAsync(_ => { }, services => services.AddReverseProxy(), map => map.MapProxy("/{**path}", address, "http://web:8080").WithDiscovery());

        var destination = Assert.Single(await app.FoundAsync());
        Assert.Equal((address, address), (destination.Config.Address, destination.Name));
        Assert.All(app.Dns.Asked, asked => Assert.Equal("web", asked.Name));
    }

    [Fact]
    public async Task Two_names_of_one_address_are_two_destinations_each_with_its_host()
    {
        await using var app = await DiscoveryApp.StartAsync(
            dns => dns["web"] = dns["other"] = ["10.0.0.1"],
            services => services.AddReverseProxy(), map => map.MapProxy("/{**path}", "http://web:8080", "http://other:8080").WithDiscovery());

        var before = await app.FoundAsync();
        Assert.Equal([(One, "web:8080"), (One, "other:8080")], before.Select(d => (d.Config.Address, d.Config.Host!)));

        app.Dns["other"] = ["10.0.0.1", "10.0.0.2"];
        await app.FindsAsync(One, One, Two);
        Assert.Equal(before, (await app.FoundAsync()).Take(2));
    }

    [Fact]
    public async Task Two_names_of_one_address_share_the_keys_of_a_hash_and_a_further_one_does_not_swap_them()
    {
        await using var app = await DiscoveryApp.StartAsync(
            dns => dns["web"] = dns["other"] = ["10.0.0.1"], services => services.AddReverseProxy(),
            map => map.MapProxy("/{**path}", "http://web:8080", "http://other:8080", "http://third:8080").WithDiscovery().WithHashing(HashSource.Path));
        var before = await HostsAsync();
        Assert.InRange(before.Count(h => h == "web:8080"), 60, 140);

        app.Dns["third"] = ["10.0.0.2"];
        await app.FindsAsync(One, One, Two);

        var after = await HostsAsync();
        Assert.InRange(after.Count(h => h == "third:8080"), 30, 110);
        Assert.All(before.Zip(after), pair => Assert.True(pair.First == pair.Second || pair.Second == "third:8080"));

        async Task<string[]> HostsAsync()
        {
            var hosts = new string[200];
            for (var i = 0; i < hosts.Length; i++)
            {
                hosts[i] = (await app.App.Client.GetStringAsync($"/{i}")).Split(' ')[1];
                await app.App.OutcomeAsync();
            }
            return hosts;
        }
    }

    [Theory]
    [InlineData("http://web:9090/health/", "http://10.0.0.1:9090/health")]
    [InlineData("https://WEB", "https://10.0.0.1:443")]
    [InlineData("http://watchdog:9090", "http://watchdog:9090")]
    public async Task A_health_address_of_the_same_name_is_that_of_each_address(string health, string expected)
    {
        await using var app = await DiscoveryApp.StartAsync(dns => dns["web"] = ["10.0.0.1"], destination: d => d.Health = health);

        Assert.Equal(expected, Assert.Single(await app.FoundAsync()).Config.Health);
    }

    [Fact]
    public async Task Addresses_are_probed_as_they_come_and_not_as_they_are_gone()
    {
        Dictionary<string, TestDestination> upstreams = [];
        await using var app = await DiscoveryApp.StartAsync(
            dns => dns["web"] = ["10.0.0.1"], services => services.AddReverseProxy(),
            map => map.MapProxy("/{**path}", "http://web:8080").WithDiscovery().WithHealthChecks("/healthz"),
            DiscoveryApp.Destinations(all => upstreams = all));
        await ProbedAsync("10.0.0.1:8080");

        upstreams["10.0.0.2:8080"].Refuse();
        app.Dns["web"] = ["10.0.0.1", "10.0.0.2"];
        await ProbedAsync("10.0.0.2:8080");
        await app.FindsAsync(One);

        app.Dns["web"] = ["10.0.0.3"];
        await app.FindsAsync(Three);
        await ProbedAsync("10.0.0.3:8080");
        var before = upstreams["10.0.0.1:8080"].Requests;
        for (var i = 0; i < 5; i++)
            await ProbedAsync("10.0.0.3:8080");
        Assert.Equal(before, upstreams["10.0.0.1:8080"].Requests);

        async Task ProbedAsync(string server)
        {
            for (var count = upstreams[server].Requests; upstreams[server].Requests == count;)
            {
                app.App.Time.Advance(TimeSpan.FromMilliseconds(500));
                await Task.Yield();
            }
        }
    }

    [Fact]
    public async Task Under_test_destinations_names_are_left_alone()
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(DiscoveryApp.Destinations(_ => { }));
            },
            map => map.MapProxy("/{**path}", "http://web:8080").WithDiscovery());

        Assert.StartsWith("web:8080 ", await app.Client.GetStringAsync("/"), StringComparison.Ordinal);
    }
}
