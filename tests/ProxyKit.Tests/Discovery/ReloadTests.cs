using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Discovery;

/// <summary>Reloads and resolutions happen to the same clusters.</summary>
public class ReloadTests
{
    private const string One = "http://10.0.0.1:8080", Two = "http://10.0.0.2:8080", Three = "http://10.0.0.3:8080";

    private static readonly RouteConfig s_route = new() { RouteId = "r", ClusterId = "c", Match = new() { Path = "/{**path}" } };
    private static readonly ClusterConfig s_cluster = new() { ClusterId = "c", Destinations = [new() { Address = "http://web:8080" }], Discovery = new() };

    private readonly InMemoryProxyConfigSource _source = new([s_route], [s_cluster]);

    [Fact]
    public async Task A_reload_keeps_what_has_been_resolved_and_gives_it_the_new_settings()
    {
        await using var app = await StartAsync(dns => dns["web"] = ["10.0.0.1", "10.0.0.2"]);
        var before = await app.FoundAsync();
        app.Dns.Fail("web");

        _source.Update([s_route], [s_cluster with { Destinations = [new() { Name = "shop", Address = "http://web:8080", Weight = 5 }], Discovery = new() { RefreshInterval = TimeSpan.FromMinutes(5) } }]);

        var after = await app.FoundAsync();
        Assert.Equal(before, after);
        Assert.All(after, d => Assert.Equal(5, d.Config.Weight));
        Assert.Equal(["shop (10.0.0.1)", "shop (10.0.0.2)"], after.Select(d => d.Name));
        Assert.Contains("Its 2 known destinations stay", await app.LogsAsync("ResolutionFailed"), StringComparison.Ordinal);
        await app.AsksAsync(2);
        Assert.Equal(before, await app.FoundAsync());
        Assert.Equal("http://web:8080", Assert.Single(app.App.Services.GetRequiredService<ProxyConfigMonitor>().Clusters.Single().Destinations).Address);
    }

    [Fact]
    public async Task A_reload_that_does_not_concern_the_cluster_asks_nothing_and_changes_nothing()
    {
        await using var app = await StartAsync(dns => dns["web"] = ["10.0.0.1"]);
        var asked = app.Dns.Asked.Count;

        _source.Update([s_route with { Order = 3 }], [s_cluster]);

        Assert.Equal([One], await app.AddressesAsync());
        await app.AsksAsync(1);
        Assert.Equal(asked + 1, app.Dns.Asked.Count);
        Assert.InRange((app.Dns.Asked.Last().At - app.Dns.Asked.First().At).TotalSeconds, 27, 34);
    }

    [Fact]
    public async Task New_names_take_over_when_they_are_resolved_and_until_then_the_old_ones_answer()
    {
        await using var app = await StartAsync(dns => dns["web"] = ["10.0.0.1"]);
        app.Dns.Stall("other");

        _source.Update([s_route], [s_cluster with { Destinations = [new() { Address = "http://other:8080" }] }]);

        Assert.Equal([One], await app.AddressesAsync());
        await app.FindsAsync(); // the first question has found no answer
        app.Dns["other"] = ["10.0.0.2"];
        await app.FindsAsync(Two);
    }

    [Fact]
    public async Task A_further_name_joins_those_that_are_resolved()
    {
        await using var app = await StartAsync(dns => dns["web"] = ["10.0.0.1"]);
        app.Dns["other"] = ["10.0.0.2"];
        var one = (await app.FoundAsync())[0];

        _source.Update([s_route], [s_cluster with { Destinations = [new() { Address = "http://web:8080" }, new() { Address = "http://other:8080" }, new() { Address = Three }] }]);

        await app.FindsAsync(One, Two, Three);
        Assert.Same(one, (await app.FoundAsync())[0]);
        _source.Update([s_route], [s_cluster with { Destinations = [new() { Address = "http://other:8080" }] }]);
        Assert.Equal([Two], await app.AddressesAsync());
    }

    [Fact]
    public async Task Of_two_names_of_one_address_the_one_that_stays_keeps_its_destination()
    {
        _source.Update([s_route], [s_cluster with { Destinations = [new() { Address = "http://web:8080" }, new() { Address = "http://other:8080" }] }]);
        await using var app = await StartAsync(dns => dns["web"] = dns["other"] = ["10.0.0.1"]);
        var before = await app.FoundAsync();
        Assert.Equal(2, before.Count);

        _source.Update([s_route], [s_cluster with { Destinations = [new() { Address = "http://other:8080" }] }]);

        Assert.Same(before[1], Assert.Single(await app.FoundAsync()));
    }

    [Fact]
    public async Task Discovery_can_be_switched_off_and_on()
    {
        await using var app = await StartAsync(dns => dns["web"] = ["10.0.0.1"]);

        _source.Update([s_route], [s_cluster with { Discovery = null }]);
        Assert.Equal(["http://web:8080"], await app.AddressesAsync());
        Assert.StartsWith("web:8080 ", await app.App.Client.GetStringAsync("/"), StringComparison.Ordinal);
        var asked = app.Dns.Asked.Count;
        app.App.Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(asked, app.Dns.Asked.Count);

        _source.Update([s_route], [s_cluster]);
        await app.FindsAsync(One);
    }

    [Fact]
    public async Task Nothing_is_asked_for_a_cluster_that_is_gone()
    {
        await using var app = await StartAsync(dns => dns["web"] = dns["other"] = ["10.0.0.1"]);

        _source.Update([], [s_cluster with { ClusterId = "d", Destinations = [new() { Address = "http://other:8080" }] }]);
        await app.AsksAsync(5);

        Assert.Single(app.Dns.Asked, asked => asked.Name == "web");
    }

    [Fact]
    public async Task However_reloads_and_resolutions_meet_the_last_of_both_is_in_force()
    {
        var source = new TokenSource();
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddSingleton<IDestinationSource>(source);
                services.AddReverseProxy().AddConfigSource(_source);
                services.AddProxyTestDestinations(DiscoveryApp.Destinations(_ => { }));
            },
            app => app.MapReverseProxy());
        var cluster = s_cluster with
        {
            Discovery = new() { Source = "Token" },
            Timeouts = new() { Connect = Timeout.InfiniteTimeSpan, FirstByte = Timeout.InfiniteTimeSpan, Idle = Timeout.InfiniteTimeSpan }, // the clock runs wild
        };
        _source.Update([s_route], [cluster]);

        var control = app.Services.GetRequiredService<IProxyControl>();
        while (control.GetDestinations("c")[0].Config.Address != One)
            await Task.Yield();

        var done = false;
        var load = Task.Run(async () =>
        {
            while (!Volatile.Read(ref done))
            {
                using var response = await app.Client.GetAsync("/");
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            }
        });
        var resolving = Task.Run(() =>
        {
            for (var i = 0; !Volatile.Read(ref done); i++)
            {
                source.Resolve(i % 2 == 0 ? [One, Two] : [Two, Three]);
                app.Time.Advance(TimeSpan.FromSeconds(2));
            }
        });
        var weight = 0;
        for (var i = 0; i < 500 || source.Asked < 50; i++)
        {
            weight = 1 + (i % 500);
            _source.Update([s_route], [cluster with { Destinations = [new() { Address = "http://web:8080", Weight = weight }] }]);

            for (var look = 0; look < 20; look++)
                Assert.All(control.GetDestinations("c"), d => Assert.Equal(weight, d.Config.Weight));
            await Task.Yield();
        }
        Volatile.Write(ref done, true);
        await load;
        await resolving;
        source.Resolve([One, Three]);
        for (var i = 0; !control.GetDestinations("c").Select(d => d.Config.Address).SequenceEqual([One, Three]); i++)
        {
            Assert.True(i < 100_000);
            app.Time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
        Assert.All(control.GetDestinations("c"), d => Assert.Equal(weight, d.Config.Weight));
    }

    private Task<DiscoveryApp> StartAsync(Action<FakeDns> names) =>
        DiscoveryApp.StartAsync(names, services => services.AddReverseProxy().AddConfigSource(_source), app => app.MapReverseProxy());

    private sealed class TokenSource : IDestinationSource
    {
        private readonly Lock _lock = new();
        private CancellationTokenSource _changed = new();
        private string[] _addresses = [One];

        public string Name => "Token";

        public int Asked { get; private set; }

        public void Resolve(string[] addresses)
        {
            CancellationTokenSource old;
            lock (_lock)
                (old, _changed, _addresses) = (_changed, new(), addresses);
            old.Cancel();
        }

        public ValueTask<ResolvedDestinations> ResolveAsync(DiscoveryQuery query, CancellationToken cancellationToken)
        {
            lock (_lock)
            {
                Asked++;
                return new(new ResolvedDestinations([.. _addresses.Select(a => new ResolvedDestination(a))]) { ChangeToken = new CancellationChangeToken(_changed.Token), RefreshAfter = Timeout.InfiniteTimeSpan });
            }
        }
    }
}
