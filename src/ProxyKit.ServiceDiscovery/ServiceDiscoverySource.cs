using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.ServiceDiscovery;

namespace ProxyKit.ServiceDiscovery;

/// <summary>A destination for each endpoint of a service.</summary>
internal sealed class ServiceDiscoverySource(ServiceEndpointResolver resolver, IOptions<ServiceDiscoveryOptions> options) : IDestinationSource
{
    public string Name => "ServiceDiscovery";

    public string? Validate(DiscoveryQuery query)
    {
        var text = query.Destination.Address;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var address) || address.Host.Length == 0 || address.Query.Length > 0 || address.Fragment.Length > 0 || address.UserInfo.Length > 0)
            return $"'{text}' is not the name of a service, such as https+http://orders.";
        return SchemeOf(address) is null ? $"'{text}': the schemes of a service are http and https, as far as {nameof(ServiceDiscoveryOptions)}.{nameof(options.Value.AllowedSchemes)} lets them." : null;
    }

    public async ValueTask<ResolvedDestinations> ResolveAsync(DiscoveryQuery query, CancellationToken cancellationToken)
    {
        var name = new Uri(query.Destination.Address);
        var service = await resolver.GetEndpointsAsync(name.GetLeftPart(UriPartial.Authority), cancellationToken);
        return new(service.Endpoints.Select(e => Resolve(e, name)).ToValueList()) { ChangeToken = service.ChangeToken };
    }

    private ResolvedDestination Resolve(ServiceEndpoint endpoint, Uri name)
    {
        var path = name.AbsolutePath.TrimEnd('/');
        var scheme = SchemeOf(name)!;
        var address = endpoint.EndPoint switch
        {
            UriEndPoint { Uri: var uri } => $"{uri.Scheme}://{uri.Authority}{path}",
            IPEndPoint ip => $"{scheme}://{new IPEndPoint(ip.Address, PortOf(ip.Port, name, scheme))}{path}",
            DnsEndPoint dns => $"{scheme}://{dns.Host}:{PortOf(dns.Port, name, scheme)}{path}",
            UnixDomainSocketEndPoint unix => $"{scheme}://unix:{unix}{(path.Length > 0 ? ":" : "")}{path}",
            var other => throw new NotSupportedException($"The service has an endpoint of a kind that cannot be connected to: {other} ({other.GetType().Name})."),
        };
        // As a service-discovering HttpClient has it: the endpoint's own host, unless the provider names one.
        return new(address) { Host = endpoint.Features.Get<IHostNameFeature>()?.HostName };
    }

    private static int PortOf(int port, Uri name, string scheme) => port > 0 ? port : name is { IsDefaultPort: false, Port: > 0 } ? name.Port : scheme == "https" ? 443 : 80;

    // Of "https+http" the first that is allowed.
    private string? SchemeOf(Uri name)
    {
        foreach (var scheme in name.Scheme.Split('+'))
        {
            if (scheme is "http" or "https" && (options.Value.AllowAllSchemes || options.Value.AllowedSchemes.Contains(scheme, StringComparer.OrdinalIgnoreCase)))
                return scheme;
        }
        return null;
    }
}
