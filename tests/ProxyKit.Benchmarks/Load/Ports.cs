using System.Net;
using System.Net.Sockets;

namespace ProxyKit.Benchmarks.Load;

/// <summary>
/// Hands out free ports. They lie below the range from which Linux takes the ports of outgoing connections:
/// one of the load's own connections would otherwise now and then sit on a port that a target is about to open.
/// </summary>
internal static class Ports
{
    private const int First = 18000, Last = 18999;

    private static int _next = First;

    public static int Take()
    {
        while (_next <= Last)
        {
            var port = _next++;
            if (IsFree(port))
                return port;
        }
        throw new LoadException($"No port from {First} to {Last} is left: is another run under way?");
    }

    public static async Task<bool> IsOpenAsync(int port, CancellationToken cancellation)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port, cancellation);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
