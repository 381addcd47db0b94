using Microsoft.Extensions.DependencyInjection.Extensions;
using ProxyKit;
using ProxyKit.Configuration;
using ProxyKit.Forwarding;
using ProxyKit.Testing;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Puts test destinations in the place of the network.</summary>
public static class ProxyKitTestingServiceCollectionExtensions
{
    /// <summary>From now on every cluster's destinations are these; an address that is not mapped refuses connections.</summary>
    public static IServiceCollection AddProxyTestDestinations(this IServiceCollection services, TestDestinations destinations)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(destinations);
        return services.Replace(ServiceDescriptor.Singleton<HttpHandlerFactory>(new TestHandlerFactory(destinations)));
    }

    private sealed class TestHandlerFactory(TestDestinations destinations) : HttpHandlerFactory([], TimeProvider.System, new ContentFiles())
    {
        public override ProxyKit.Forwarding.Http1.Http1Pools? CreateHttp1(ClusterConfig cluster) => null;

        public override HttpMessageInvoker Create(ClusterConfig cluster) => destinations.CreateInvoker();

        public override Task TryConnectAsync(DestinationAddress address, CancellationToken cancellationToken)
        {
            destinations.Find(address.Authority).Connect();
            return Task.CompletedTask;
        }
    }
}
