using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace ProxyKit.Benchmarks.Php;

/// <summary>Asks php-fpm's status page by FastCGI. It is nobody's proxy that is asked to do it: what is measured does not measure itself.</summary>
internal sealed class FpmStatus(string socketPath)
{
    public const string Path = "/status";

    private const byte Begin = 1, Params = 4, StandardInput = 5, StandardOutput = 6;
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);
    private static readonly byte[] Request =
    [
        .. Record(Begin, [0, 1, 0, 0, 0, 0, 0, 0]), // a responder; the connection is not kept
        .. Record(Params, [.. Pair("REQUEST_METHOD", "GET"), .. Pair("SCRIPT_NAME", Path), .. Pair("SCRIPT_FILENAME", Path), .. Pair("QUERY_STRING", "json")]),
        .. Record(Params, []),
        .. Record(StandardInput, []),
    ];

    /// <summary>The page, with the header fields before it; empty when there is no answer.</summary>
    public async Task<string> ReadAsync(CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(LongestWait);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), limit.Token);
            await socket.SendAsync(Request, limit.Token);
            return await ReadOutputAsync(socket, limit.Token);
        }
        catch (Exception e) when (e is SocketException or EndOfStreamException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            return "";
        }
    }

    private static async Task<string> ReadOutputAsync(Socket socket, CancellationToken cancellation)
    {
        const byte end = 3;
        await using var stream = new NetworkStream(socket);
        var output = new StringBuilder();
        var header = new byte[8];
        while (true)
        {
            await stream.ReadExactlyAsync(header, cancellation);
            var content = new byte[BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(4))];
            await stream.ReadExactlyAsync(content, cancellation);
            await stream.ReadExactlyAsync(new byte[header[6]], cancellation);
            if (header[1] == end)
                return output.ToString();
            if (header[1] == StandardOutput)
                output.Append(Encoding.UTF8.GetString(content));
        }
    }

    private static byte[] Record(byte type, byte[] content) => [1, type, 0, 1, (byte)(content.Length >> 8), (byte)content.Length, 0, 0, .. content];

    private static byte[] Pair(string name, string value) => [(byte)name.Length, (byte)value.Length, .. Encoding.ASCII.GetBytes(name + value)];
}
