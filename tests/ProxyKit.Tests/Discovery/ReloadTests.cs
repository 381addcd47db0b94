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
        app.Dns.Stall("web");

        _source.Update([s_route], [s_cluster with { Destinations = [new() { Name = "shop", Address = "http://web:8080", Weight = 5 }], Discovery = new() { RefreshInterval = TimeSpan.FromMinutes(5) } }]);

        var after = await app.FoundAsync();
        Assert.Equal(before, after);
        Assert.All(after, d => Assert.Equal(5, d.Config.Weight));
        Assert.Equal(["shop (10.0.0.1)", "shop (10.0.0.2)"], after.Select(d => d.Name));
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
        app.Dns["other"] = ["10.0.0.2"];
        await app.FindsAsync(); // the first question has found no answer
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
        var cluster = s_cluster with { Discovery = new() { Source = "Token" } };
        _source.Update([s_route], [cluster]);

        var failed = 0;
        var done = false;
        var load = Task.Run(async () =>
        {
            while (!Volatile.Read(ref done))
            {
                using var response = await app.Client.GetAsync("/");
                failed += response.StatusCode == HttpStatusCode.OK ? 0 : 1;
                await app.OutcomeAsync();
            }
        });
        // From the moment when the source has been asked there are destinations.
        while ((await FoundAsync()).Count == 0)
            await Task.Yield();
        failed = 0;
        await Task.WhenAll(
            Task.Run(() =>
            {
                for (var weight = 1; weight <= 500; weight++)
                    _source.Update([s_route], [cluster with { Destinations = [new() { Address = "http://web:8080", Weight = weight }] }]);
            }),
            Task.Run(() =>
            {
                for (var i = 1; i <= 500; i++)
                    source.Resolve([.. Enumerable.Range(0, 3).Where(n => n == 0 || (i & n) != 0).Select(n => $"http://10.0.0.{n + 1}:8080")]);
            }));
        source.Resolve([Two, Three]);
        Volatile.Write(ref done, true);
        await load;

        Assert.Equal(0, failed);
        IReadOnlyList<Destination> found;
        for (var i = 0; !(found = await FoundAsync()).Select(d => d.Config.Address).SequenceEqual([Two, Three]); i++)
        {
            Assert.True(i < 100_000);
            app.Time.Advance(TimeSpan.FromSeconds(1)); // a token that fires at once is followed after a second
        }
        Assert.All(found, d => Assert.Equal(500, d.Config.Weight));

        async Task<IReadOnlyList<Destination>> FoundAsync()
        {
            using var response = await app.Client.GetAsync("/");
            return (await app.OutcomeAsync()).AvailableDestinations;
        }
    }

    private Task<DiscoveryApp> StartAsync(Action<FakeDns> names) =>
        DiscoveryApp.StartAsync(names, services => services.AddReverseProxy().AddConfigSource(_source), app => app.MapReverseProxy());

    private sealed class TokenSource : IDestinationSource
    {
        private readonly Lock _lock = new();
        private CancellationTokenSource _changed = new();
        private string[] _addresses = [One];

        public string Name => "Token";

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
                return new(new ResolvedDestinations([.. _addresses.Select(a => new ResolvedDestination(a))]) { ChangeToken = new CancellationChangeToken(_changed.Token), RefreshAfter = Timeout.InfiniteTimeSpan });
        }
    }
}
