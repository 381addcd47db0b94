using Microsoft.Extensions.DependencyInjection.Extensions;
using ProxyKit;
using ProxyKit.ServiceDiscovery;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds service discovery as a source of destinations.</summary>
public static class ProxyKitServiceDiscoveryReverseProxyBuilderExtensions
{
    /// <summary>
    /// Adds the destination source <c>ServiceDiscovery</c>: a destination's address is a name of <c>Microsoft.Extensions.ServiceDiscovery</c>, such as
    /// <c>https+http://orders</c>. Clusters use it with <c>WithDiscovery("ServiceDiscovery")</c>.
    /// </summary>
    /// <remarks>It calls <c>services.AddServiceDiscovery()</c>. Providers and options are the app's to add, before or after.</remarks>
    public static ReverseProxyBuilder AddServiceDiscovery(this ReverseProxyBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddServiceDiscovery();
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IDestinationSource, ServiceDiscoverySource>());
        return builder;
    }
}
