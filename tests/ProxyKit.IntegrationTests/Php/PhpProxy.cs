using Microsoft.AspNetCore.Builder;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>Proxies in front of a <see cref="PhpFpm"/>.</summary>
internal static class PhpProxy
{
    public static Task<KestrelApp> StartAsync(PhpFpm fpm, Action<ProxyRouteBuilder>? route = null, Protocols.Wire wire = Protocols.Wire.Http1) =>
        Peers.StartProxyAsync(
            wire, fpm.Address,
            builder =>
            {
                builder.WithFastCgi(fpm.Root);
                route?.Invoke(builder);
            },
            kestrel: k => k.Limits.MaxRequestBodySize = null);

    public static HttpClient CreateClient(this KestrelApp app) => app.CreateClient(Protocols.Wire.Http1);
}
