using System.Net;
using System.Net.Sockets;

namespace ProxyKit.Discovery;

/// <summary>The system's resolver.</summary>
internal class DnsLookup
{
    /// <summary>The addresses of a name, none if it has none; null where names are not to be resolved.</summary>
    /// <exception cref="SocketException">It is not known whether it has any.</exception>
    public virtual async Task<IPAddress[]?> LookUpAsync(string host, CancellationToken cancellationToken)
    {
        try
        {
            return await Dns.GetHostAddressesAsync(host, cancellationToken);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData)
        {
            return [];
        }
    }
}
