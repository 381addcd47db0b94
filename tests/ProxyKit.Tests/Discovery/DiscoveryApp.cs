using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Discovery;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Discovery;

/// <summary>A proxy with a DNS in memory; every address answers with itself and the Host that it was sent.</summary>
internal sealed class DiscoveryApp(ProxyApp app, FakeDns dns) : IAsyncDisposable
{
    public static readonly string[] Servers = ["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080", "10.0.0.9:9999", "[fd00::1]:8080", "web:8080", "other:8080"];

    public ProxyApp App => app;

    public FakeDns Dns => dns;

    public static async Task<DiscoveryApp> StartAsync(Action<FakeDns> names, Action<IServiceCollection> services, Action<WebApplication> map, TestDestinations? destinations = null)
    {
        FakeDns? dns = null;
        destinations ??= Destinations(_ => { });
        var app = await ProxyApp.StartAsync(
            all =>
            {
                services(all);
                all.AddProxyTestDestinations(destinations);
                all.AddSingleton<DnsLookup>(provider =>
                {
                    dns = new(provider.GetRequiredService<TimeProvider>());
                    names(dns);
                    return dns;
                });
            },
            map);
        return new(app, dns ?? new(app.Time));
    }

    /// <summary>A proxy that maps everything to <c>http://web:8080</c>.</summary>
    public static Task<DiscoveryApp> StartAsync(Action<FakeDns> names, Action<DiscoveryOptions>? discovery = null, Action<DestinationOptions>? destination = null) => StartAsync(
        names,
        services => services.AddReverseProxy(),
        app => app.MapProxy("/{**path}").WithDestination("http://web:8080", destination ?? (_ => { })).WithDiscovery(discovery ?? (_ => { })));

    public static TestDestinations Destinations(Action<Dictionary<string, TestDestination>> use)
    {
        var destinations = new TestDestinations();
        use(Servers.ToDictionary(server => server, server => destinations.Map($"http://{server}",
            request => new(HttpStatusCode.OK) { Content = new StringContent($"{server} {request.Headers.Host} {request.RequestUri!.AbsolutePath}") })));
        return destinations;
    }

    /// <summary>The destinations that a request finds now.</summary>
    public async Task<IReadOnlyList<Destination>> FoundAsync(string path = "/")
    {
        using var response = await app.Client.GetAsync(path);
        return (await app.OutcomeAsync()).AvailableDestinations;
    }

    /// <summary>Their addresses.</summary>
    public async Task<string[]> AddressesAsync(string path = "/") => [.. (await FoundAsync(path)).Select(d => d.Config.Address)];

    /// <summary>Lets the clock run until a request finds these addresses.</summary>
    public async Task FindsAsync(params string[] addresses)
    {
        string[] found;
        for (var i = 0; !(found = await AddressesAsync()).SequenceEqual(addresses); i++)
        {
            Assert.True(i < 100_000, $"Not {string.Join(", ", addresses)} but {string.Join(", ", found)}.");
            app.Time.Advance(TimeSpan.FromSeconds(1));
        }
    }

    /// <summary>Lets the clock run until there have been so many more questions: all answers but the last are in force then.</summary>
    public async Task AsksAsync(int more)
    {
        for (var count = dns.Asked.Count + more; dns.Asked.Count < count;)
        {
            app.Time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }
    }

    /// <summary>Lets the clock run until the log has such a line.</summary>
    public async Task<string> LogsAsync(string eventName)
    {
        while (true)
        {
            if (app.Logs.GetSnapshot().FirstOrDefault(line => line.Id.Name == eventName) is { } line)
                return line.Message;
            app.Time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
