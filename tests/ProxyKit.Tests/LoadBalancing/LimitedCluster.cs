using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using ProxyKit.Forwarding;
using ProxyKit.LoadBalancing;
using ProxyKit.Pipeline;
using ProxyKit.Testing;

namespace ProxyKit.Tests.LoadBalancing;

/// <summary>A cluster with limits, without a proxy around it: requests come and go as the test says.</summary>
internal sealed class LimitedCluster : IDisposable
{
    private static readonly RouteConfig s_route = new() { RouteId = "r", ClusterId = "c", Match = new() };

    private readonly ServiceProvider _services;

    public LimitedCluster(ClusterConfig config)
    {
        var services = new ServiceCollection();
        services.AddSingleton<TimeProvider>(Time);
        services.AddReverseProxy().AddLoadBalancingPolicy<InOrder>();
        services.AddProxyTestDestinations(new());
        _services = services.BuildServiceProvider();
        Cluster = new("c", _services.GetRequiredService<HttpHandlerFactory>(), _services.GetRequiredService<ClusterServices>());
        Apply(config);
    }

    public FakeTimeProvider Time { get; } = new();

    public Cluster Cluster { get; }

    public ConcurrencyLimiter Limiter => Cluster.Limiter!;

    public Destination[] Destinations => Cluster.Model!.Destinations;

    /// <summary>A cluster of destinations <c>http://0</c>, <c>http://1</c> … with these limits of their own.</summary>
    public static ClusterConfig Config(ConcurrencyLimitsConfig? limits, params int?[] own) => new()
    {
        ClusterId = "c",
        Failover = false,
        Limits = limits,
        LoadBalancingPolicy = nameof(InOrder),
        Destinations = own.Select((limit, i) => new DestinationConfig { Address = $"http://d{i}", MaxConcurrentRequests = limit }).ToValueList(),
    };

    public void Apply(ClusterConfig config) => Cluster.Commit(Cluster.Prepare(config));

    /// <summary>A request comes in. It may be bound to one destination, as by session affinity, or have tried some.</summary>
    public Request Arrive(Destination? only = null, params Destination[] tried)
    {
        var context = new DefaultHttpContext();
        context.Items["only"] = only;
        var proxy = new ProxyContext(s_route, Cluster, Time.GetTimestamp());
        foreach (var destination in tried)
            proxy.AddAttempted(destination);
        return new(context, proxy, _services.GetRequiredService<ExchangeClock.Pool>());
    }

    /// <summary>A request of a session that belongs to a destination.</summary>
    public Request ArriveInSession(Destination own)
    {
        var proxy = new ProxyContext(s_route, Cluster, Time.GetTimestamp()) { AffinityStatus = AffinityStatus.Found, AffineDestination = own };
        return new(new DefaultHttpContext(), proxy, _services.GetRequiredService<ExchangeClock.Pool>());
    }

    public void Dispose() => _services.Dispose();

    internal sealed class Request : IDisposable
    {
        private readonly CancellationTokenSource _client = new();
        private readonly Task<Destination> _admission;
        private readonly HttpContext _context;
        private readonly ExchangeClock.Pool _clocks;
        private readonly ExchangeClock _clock;

        public Request(HttpContext context, ProxyContext proxy, ExchangeClock.Pool clocks)
        {
            _clocks = clocks;
            _clock = clocks.Rent();
            Proxy = proxy;
            _context = context;
            _admission = AcquireAsync(context, proxy);
        }

        public ProxyContext Proxy { get; }

        /// <summary>What the policy does first when it picks for this request.</summary>
        public Action OnPick { set => _context.Items["onPick"] = value; }

        /// <summary>How often a destination has been picked for it.</summary>
        public int Picks => (int)(_context.Items["picks"] ?? 0);

        /// <summary>It waits; what has left the queue may take a moment to know.</summary>
        public bool IsWaiting => !_admission.IsCompleted;

        /// <summary>Where it goes; a bug must not hang the test.</summary>
        public Task<Destination> DestinationAsync() => _admission.WaitAsync(TimeSpan.FromSeconds(30));

        public async Task<ProxyError> ErrorAsync() => (await Assert.ThrowsAsync<NoDestinationException>(DestinationAsync)).Error;

        public async Task FinishAsync() => (await DestinationAsync()).EndRequest();

        public void Leave() => _client.Cancel();

        /// <summary>It has been told that it left.</summary>
        public async Task HasLeftAsync() => await Assert.ThrowsAnyAsync<OperationCanceledException>(DestinationAsync);

        public void Dispose()
        {
            _clocks.Release(_clock);
            _client.Dispose();
        }

        private async Task<Destination> AcquireAsync(HttpContext context, ProxyContext proxy)
        {
            _clock.Start(proxy.Cluster.Timeouts, null, proxy.StartTimestamp, proxy.StartTimestamp, _client.Token);
            return await ConcurrencySlots.AcquireAsync(context, proxy, _clock);
        }
    }

    /// <summary>The first destination in the configured order that is free, or the one that the request is bound to.</summary>
    internal sealed class InOrder : ILoadBalancingPolicy
    {
        public string Name => nameof(InOrder);

        public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new Picker(destinations.Available);

        private sealed class Picker(IReadOnlyList<Destination> destinations) : DestinationPicker
        {
            public override Destination? Pick(in PickContext context)
            {
                var items = context.HttpContext.Items;
                items["picks"] = (int)(items["picks"] ?? 0) + 1;
                (items["onPick"] as Action)?.Invoke();
                foreach (var destination in destinations)
                {
                    if (items["only"] is Destination only && only != destination)
                        continue;
                    if (context.Accepts(destination))
                        return destination;
                }
                return null;
            }
        }
    }
}
