using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using ProxyKit;
using ProxyKit.DnsSrv;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds SRV records as a source of destinations.</summary>
public static class ProxyKitDnsReverseProxyBuilderExtensions
{
    /// <summary>
    /// Adds the destination source <c>DnsSrv</c>: a destination's address is the name of SRV records (RFC 2782), such as <c>http://_http._tcp.orders.internal</c>.
    /// Clusters use it with <c>WithDiscovery("DnsSrv")</c>.
    /// </summary>
    public static ReverseProxyBuilder AddDnsSrv(this ReverseProxyBuilder builder) => builder.AddDnsSrv(static _ => { });

    /// <summary>Adds the destination source <c>DnsSrv</c>, with settings that hold for all clusters.</summary>
    /// <exception cref="OptionsValidationException">At start-up: a setting is not valid.</exception>
    public static ReverseProxyBuilder AddDnsSrv(this ReverseProxyBuilder builder, Action<DnsSrvOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.AddOptions<DnsSrvOptions>().Configure(configure).ValidateOnStart();
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<DnsSrvOptions>, DnsSrvOptionsValidator>());
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IDestinationSource, DnsSrvSource>());
        return builder;
    }
}
