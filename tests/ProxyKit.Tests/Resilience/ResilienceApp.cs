using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Resilience;

/// <summary>A proxy before three upstreams, tried in order, so that a test knows which one is next.</summary>
internal sealed class ResilienceApp : IAsyncDisposable
{
    private ResilienceApp(ProxyApp app, TestDestination[] upstreams, Recorder[] recorders)
    {
        App = app;
        Upstreams = upstreams;
        Recorders = recorders;
    }

    public ProxyApp App { get; }

    public HttpClient Client => App.Client;

    public TestDestination[] Upstreams { get; }

    public Recorder[] Recorders { get; }

    public static async Task<ResilienceApp> StartAsync(Action<ProxyRouteBuilder> configure, int count = 3)
    {
        var destinations = new TestDestinations();
        var recorders = Enumerable.Range(0, count).Select(_ => new Recorder()).ToArray();
        var addresses = Enumerable.Range(0, count).Select(i => $"http://u{i}.test").ToArray();
        var upstreams = addresses.Select((address, i) => destinations.Map(address, recorders[i].Handle)).ToArray();
        var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().AddLoadBalancingPolicy<InOrder>();
                services.AddProxyTestDestinations(destinations);
            },
            app => configure(app.MapProxy("/{**path}", addresses).WithLoadBalancing("InOrder").WithoutFailover()));
        return new(app, upstreams, recorders);
    }

    public int[] Requests => [.. Upstreams.Select(u => u.Requests)];

    public ValueTask DisposeAsync() => App.DisposeAsync();

    private sealed class InOrder : ILoadBalancingPolicy
    {
        public string Name => "InOrder";

        public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new Picker(destinations);

        private sealed class Picker(DestinationSet set) : DestinationPicker
        {
            public override Destination? Pick(in PickContext context)
            {
                foreach (var destination in set.Available)
                {
                    if (context.Accepts(destination))
                        return destination;
                }
                return null;
            }
        }
    }
}
