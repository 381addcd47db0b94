using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;
using ProxyKit.Configuration;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Discovery;

/// <summary>Sources of the user's own, and what is wrong with a configuration.</summary>
public class SourceTests
{
    [Fact]
    public async Task A_source_of_ones_own_is_known_by_its_name_and_says_all_about_a_destination()
    {
        await using var app = await StartAsync(
            _ => new([
                new("http://10.0.0.1:8080") { Host = "one.internal", Weight = 3, Metadata = new([new("zone", "a"), new("x", "y")]) },
                new("http://10.0.0.2:8080") { Name = "second", Backup = true },
                new("http://10.0.0.9:9999"),
            ]),
            d => (d.Name, d.Weight) = ("web", 2), d => d.Metadata["zone"] = "?");

        await app.Client.GetAsync("/");
        var found = (await app.OutcomeAsync()).AvailableDestinations.Select(d => d.Config).ToArray();

        Assert.Equal(["web (10.0.0.1)", "second", "web (10.0.0.9:9999)"], found.Select(d => d.Name));
        Assert.Equal(["one.internal", null, null], found.Select(d => d.Host));
        Assert.Equal([3, 2, 2], found.Select(d => d.Weight));
        Assert.Equal([false, true, false], found.Select(d => d.Backup));
        Assert.Equal(new ValueMap([new("zone", "a"), new("x", "y")]), found[0].Metadata);
        Assert.Equal(new ValueMap([new("zone", "?")]), found[1].Metadata);
    }

    [Fact]
    public async Task A_configured_weight_of_0_and_a_configured_host_and_backup_stay()
    {
        await using var app = await StartAsync(_ => new([new("http://10.0.0.1:8080") { Host = "one", Weight = 3 }]), d => (d.Weight, d.Host) = (0, "mine"), d => d.Backup = true);

        await app.Client.GetAsync("/");
        var proxy = await app.OutcomeAsync();

        Assert.Equal(ProxyError.NoAvailableDestinations, proxy.Error);
        var config = Assert.Single(proxy.Destinations).Config;
        Assert.Equal((0, "mine", true), (config.Weight, config.Host, config.Backup));
    }

    [Fact]
    public async Task What_a_source_gives_that_is_no_destination_is_ignored_and_logged()
    {
        await using var app = await StartAsync(_ => new([new("10.0.0.1:8080"), new("http://10.0.0.2:8080") { Weight = 5000 }, new("http://10.0.0.3:8080")]));

        Assert.StartsWith("10.0.0.3", await app.Client.GetStringAsync("/"), StringComparison.Ordinal);
        var lines = app.Logs.GetSnapshot().Where(line => line.Id is { Id: 104, Name: "DestinationIgnored" }).Select(line => line.Message).ToArray();
        Assert.StartsWith("Cluster /{**path}: http://web:8080: '10.0.0.1:8080', given by Mine, is ignored: it is not http://host", lines[0], StringComparison.Ordinal);
        Assert.EndsWith("its weight is 5000, not 0 to 1000", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_source_that_gives_nothing_but_rubbish_has_failed()
    {
        var rubbish = false;
        await using var app = await StartAsync(_ => new([new(rubbish ? "nonsense" : "http://10.0.0.1:8080")]));

        rubbish = true;
        while (!app.Logs.GetSnapshot().Any(line => line.Id.Name == "ResolutionFailed"))
        {
            app.Time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.StartsWith("10.0.0.1", await app.Client.GetStringAsync("/"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_change_token_is_followed_at_once_and_its_callers_thread_is_left_alone()
    {
        using var changed = new CancellationTokenSource();
        var asked = 0;
        var asker = 0;
        await using var app = await StartAsync(_ =>
        {
            asker = Environment.CurrentManagedThreadId;
            return Interlocked.Increment(ref asked) == 1
                ? new([new("http://10.0.0.1:8080")]) { ChangeToken = new CancellationChangeToken(changed.Token), RefreshAfter = Timeout.InfiniteTimeSpan }
                : new([new("http://10.0.0.2:8080")]);
        });
        Assert.StartsWith("10.0.0.1", await app.Client.GetStringAsync("/"), StringComparison.Ordinal);

        using var done = new ManualResetEventSlim();
        var thread = new Thread(() => { changed.Cancel(); done.Wait(); }); // it lives on, so that no other gets its id
        thread.Start();
        while (!(await app.Client.GetStringAsync("/")).StartsWith("10.0.0.2", StringComparison.Ordinal))
            await Task.Yield();

        Assert.NotEqual(thread.ManagedThreadId, asker);
        done.Set();
    }

    [Fact]
    public async Task A_source_says_itself_when_to_ask_again()
    {
        var asked = new List<DateTimeOffset>();
        TimeProvider? time = null;
        await using var app = await StartAsync(_ =>
        {
            lock (asked)
                asked.Add(time?.GetUtcNow() ?? default);
            return new([new("http://10.0.0.1:8080")]) { RefreshAfter = TimeSpan.Zero };
        });
        time = app.Time;

        while (asked.Count < 5)
        {
            app.Time.Advance(TimeSpan.FromMilliseconds(10));
            await Task.Yield();
        }

        // At most once a second, however eager it is.
        Assert.All(asked.Skip(1).Zip(asked.Skip(2), (a, b) => (b - a).TotalSeconds), gap => Assert.InRange(gap, 0.9, 1.2));
    }

    [Fact]
    public async Task One_of_the_name_Dns_takes_the_place_of_ProxyKits()
    {
        await using var app = await StartAsync(_ => new([new("http://10.0.0.1:8080")]), name: "dns");

        Assert.StartsWith("10.0.0.1", await app.Client.GetStringAsync("/"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_source_is_added_by_type()
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().AddDestinationSource<FixedSource>();
                services.AddProxyTestDestinations(DiscoveryApp.Destinations(_ => { }));
            },
            app => app.MapProxy("/{**path}", "http://web/").WithDiscovery("fixed"));

        Assert.StartsWith("10.0.0.1:8080", await app.Client.GetStringAsync("/"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://web", "web", "web", "http://10.0.0.1", "http://[fd00::1]:81")]
    [InlineData("http://web:80/", "web", "web", "http://10.0.0.1", "http://[fd00::1]:81")]
    [InlineData("https://web:8443/base/", "web", "web:8443", "https://10.0.0.1:8443/base", "https://[fd00::1]:81/base")]
    [InlineData("http://_http._tcp.web", "_http._tcp.web", "_http._tcp.web", "http://10.0.0.1", "http://[fd00::1]:81")]
    [InlineData("https+http://web", "web", "web", "https+http://10.0.0.1", "https+http://[fd00::1]:81")]
    public void A_query_takes_the_configured_address_apart(string address, string host, string authority, string at, string atWithPort)
    {
        var query = new DiscoveryQuery("c", new() { Address = address }, new());

        Assert.Equal((host, authority, at, atWithPort), (query.Host, query.Authority, query.AddressAt("10.0.0.1"), query.AddressAt("fd00::1", 81)));
    }

    [Fact]
    public void Code_and_JSON_make_the_same_record()
    {
        var config = new ConfigurationConfigSource(Misconfigured.Json(
            "{'Clusters':{'c':{'Discovery':{'Source':'Mine','RefreshInterval':'00:01:00','Timeout':'00:00:02','HoldTime':'00:10:00','AddressFamily':'All'}}}}")).GetConfig();
        Assert.Empty(config.Errors);
        var code = new ClusterBuilder("c");
        code.WithDiscovery("Mine").WithDiscovery(d =>
        {
            Assert.Equal("Mine", d.Source);
            (d.RefreshInterval, d.Timeout, d.HoldTime, d.AddressFamily) =
                (TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(10), DiscoveryAddressFamily.All);
        });

        Assert.Equal(code.Config, Assert.Single(config.Clusters));
        Assert.Equal(new DiscoveryConfig(), new ClusterBuilder("d").WithDiscovery().Config.Discovery);
    }

    [Fact]
    public async Task An_unknown_source_is_an_error_that_names_the_nearest()
    {
        var errors = await Misconfigured.ErrorsAsync(app => app.MapProxy("/", "http://web").WithDiscovery("Dsn"));

        Assert.Equal("Cluster '/': Discovery.Source 'Dsn' is not known. Did you mean 'Dns'? Your own are added with AddDestinationSource.", Assert.Single(errors));
    }

    [Fact]
    public async Task All_that_is_wrong_is_reported_at_once()
    {
        var errors = await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy().AddCluster("empty", c => c.WithDiscovery()),
            app => app.MapProxy("/", "http://a b").WithDiscovery(d =>
                (d.RefreshInterval, d.Timeout, d.HoldTime, d.AddressFamily) = (TimeSpan.Zero, TimeSpan.FromHours(1), TimeSpan.FromSeconds(-1), (DiscoveryAddressFamily)9)));

        Assert.Equal(
            [
                "Cluster '/': Discovery.AddressFamily is 9; it must be PreferIPv4, PreferIPv6, IPv4, IPv6, All.",
                "Cluster '/': Discovery.HoldTime is -00:00:01; it must be 0 to 24 days, or -00:00:00.0010000 for ever.",
                "Cluster '/': Discovery.RefreshInterval is 00:00:00; it must be 1 second to 1 day.",
                "Cluster '/': Discovery.Timeout is 01:00:00; it must be positive and at most 1 minute.",
                "Cluster 'empty': Discovery has nothing to resolve: the cluster has no destination.",
            ],
            errors.Where(e => !e.Contains("a b", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Single(errors, e => e.StartsWith("Cluster '/': 'http://a b' is not a destination address.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_the_source_has_against_a_destination_is_an_error()
    {
        var errors = await Misconfigured.ErrorsAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddSingleton<IDestinationSource>(new DelegateSource("Mine", _ => throw new NotSupportedException(), query => query.Destination.Address == "bad" ? "bad is bad" : throw new InvalidOperationException("oh")));
            },
            app => app.MapProxy("/").WithDestination("bad").WithDestination("x").WithDiscovery("mine"));

        Assert.Equal(["Cluster '/': bad is bad", "Cluster '/': destination 'x': Mine failed: oh"], errors);
    }

    private static Task<ProxyApp> StartAsync(Func<DiscoveryQuery, ResolvedDestinations> resolve, params Action<DestinationOptions>[] destination) => StartAsync(resolve, "Mine", destination);

    private static Task<ProxyApp> StartAsync(Func<DiscoveryQuery, ResolvedDestinations> resolve, string name, params Action<DestinationOptions>[] destination) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            services.AddSingleton<IDestinationSource>(new DelegateSource(name, resolve));
            services.AddProxyTestDestinations(DiscoveryApp.Destinations(_ => { }));
        },
        app => app.MapProxy("/{**path}").WithDestination("http://web:8080", d => Array.ForEach(destination, configure => configure(d))).WithDiscovery(name));

    private sealed class FixedSource : IDestinationSource
    {
        public string Name => "Fixed";

        public ValueTask<ResolvedDestinations> ResolveAsync(DiscoveryQuery query, CancellationToken cancellationToken) => new(new ResolvedDestinations([new(query.AddressAt("10.0.0.1", 8080))]));
    }

    private sealed class DelegateSource(string name, Func<DiscoveryQuery, ResolvedDestinations> resolve, Func<DiscoveryQuery, string?>? validate = null) : IDestinationSource
    {
        public string Name => name;

        public string? Validate(DiscoveryQuery query) => validate?.Invoke(query);

        public ValueTask<ResolvedDestinations> ResolveAsync(DiscoveryQuery query, CancellationToken cancellationToken) => new(resolve(query));
    }
}
