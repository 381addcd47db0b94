using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.DependencyInjection.Extensions;
using ProxyKit;
using ProxyKit.Configuration;
using ProxyKit.Discovery;
using ProxyKit.Forwarding;
using ProxyKit.Testing;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Puts test destinations in the place of the network.</summary>
public static class ProxyKitTestingServiceCollectionExtensions
{
    /// <summary>From now on every cluster's destinations are these; an address that is not mapped refuses connections. Names are not looked up in DNS.</summary>
    public static IServiceCollection AddProxyTestDestinations(this IServiceCollection services, TestDestinations destinations)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(destinations);
        services.Replace(ServiceDescriptor.Singleton<DnsLookup>(new NoLookup()));
        return services.Replace(ServiceDescriptor.Singleton<HttpHandlerFactory>(new TestHandlerFactory(destinations)));
    }

    // A name is answered for as it is configured, without a question to the network.
    private sealed class NoLookup : DnsLookup
    {
        public override Task<System.Net.IPAddress[]?> LookUpAsync(string host, CancellationToken cancellationToken) => Task.FromResult<System.Net.IPAddress[]?>(null);
    }

    private sealed class TestHandlerFactory(TestDestinations destinations) : HttpHandlerFactory([], TimeProvider.System, new ContentFiles(), NullLoggerFactory.Instance)
    {
        public override ProxyKit.Forwarding.Http1.Http1Pools? CreateHttp1(ClusterConfig cluster) => null;

        public override ProxyKit.FastCgi.FastCgiPools? CreateFastCgi(ClusterConfig cluster) => null;

        public override HttpMessageInvoker Create(ClusterConfig cluster) => destinations.CreateInvoker();

        public override Task TryConnectAsync(DestinationAddress address, CancellationToken cancellationToken)
        {
            destinations.Find(address.Authority).Connect();
            return Task.CompletedTask;
        }
    }
}
