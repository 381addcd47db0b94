using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>Sends one HTTP/2 request in clear text, of exactly these fields and bytes, as no decent client would.</summary>
internal static class RawHttp2
{
    private const byte Data = 0, Headers = 1, Reset = 3, Settings = 4, GoAway = 7;

    /// <summary>Returns when the stream or the connection has ended.</summary>
    public static async Task SendAsync(int port, (string Name, string Value)[] fields, params string[] data)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        var bytes = new List<byte>();
        bytes.AddRange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        Frame(bytes, Settings, 0, 0, []);
        var block = new List<byte>();
        foreach (var (name, value) in fields)
        {
            block.Add(0); // literal, not indexed (RFC 7541 §6.2.2)
            Text(block, name);
            Text(block, value);
        }
        Frame(bytes, Headers, (byte)(data.Length == 0 ? 5 : 4), 1, [.. block]);
        for (var i = 0; i < data.Length; i++)
            Frame(bytes, Data, (byte)(i == data.Length - 1 ? 1 : 0), 1, Encoding.Latin1.GetBytes(data[i]));
        await socket.SendAsync(bytes.ToArray());
        await StreamEndAsync(socket);
    }

    private static async Task StreamEndAsync(Socket socket)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        using var stream = new NetworkStream(socket);
        var head = new byte[9];
        try
        {
            while (true)
            {
                await stream.ReadExactlyAsync(head, limit.Token);
                await stream.ReadExactlyAsync(new byte[head[0] << 16 | head[1] << 8 | head[2]], limit.Token);
                if (head[3] is GoAway or Reset || (head[3] is Data or Headers && (head[4] & 1) != 0))
                    return;
            }
        }
        catch (Exception e) when (e is EndOfStreamException or IOException)
        {
        }
    }

    private static void Frame(List<byte> bytes, byte type, byte flags, int stream, byte[] payload)
    {
        var head = new byte[9];
        BinaryPrimitives.WriteInt32BigEndian(head, payload.Length << 8 | type);
        head[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(5), stream);
        bytes.AddRange(head);
        bytes.AddRange(payload);
    }

    private static void Text(List<byte> bytes, string text)
    {
        Assert.True(text.Length < 127);
        bytes.Add((byte)text.Length);
        bytes.AddRange(Encoding.Latin1.GetBytes(text));
    }
}
