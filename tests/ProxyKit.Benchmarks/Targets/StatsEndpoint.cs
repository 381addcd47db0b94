using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ProxyKit.Benchmarks.Targets;

/// <summary>Tells how much this process has allocated, and how many work items its thread pool has done, on a socket and a thread of its own: asking costs the request path nothing.</summary>
internal static class StatsEndpoint
{
    public static void Start(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        new Thread(() => Answer(listener)) { IsBackground = true, Name = "stats" }.Start();
    }

    /// <summary>Asks the target that listens at <paramref name="port"/>.</summary>
    public static async Task<(long AllocatedBytes, long WorkItems)> ReadAsync(int port, CancellationToken cancellation)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port, cancellation);
        using var reader = new StreamReader(client.GetStream());
        var figures = (await reader.ReadToEndAsync(cancellation)).Split(' ');
        return (long.Parse(figures[0]), long.Parse(figures[1]));
    }

    private static void Answer(TcpListener listener)
    {
        while (true)
        {
            using var socket = listener.AcceptSocket();
            socket.Send(Encoding.ASCII.GetBytes($"{GC.GetTotalAllocatedBytes()} {ThreadPool.CompletedWorkItemCount}"));
        }
    }
}
