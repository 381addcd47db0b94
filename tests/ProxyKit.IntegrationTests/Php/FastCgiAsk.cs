using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>A FastCGI client of a few lines, which owes nothing to what is tested: one GET, one connection.</summary>
internal static class FastCgiAsk
{
    public static async Task<(string Head, string Body)> GetAsync(EndPoint endPoint, string script, string uri, string query)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        using var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(endPoint, limit.Token);
        using var stream = new NetworkStream(socket);
        var parameters = new MemoryStream();
        foreach (var (name, value) in (ReadOnlySpan<(string, string)>)[("REQUEST_METHOD", "GET"), ("SCRIPT_FILENAME", script), ("SCRIPT_NAME", uri), ("REQUEST_URI", uri), ("QUERY_STRING", query), ("SERVER_PROTOCOL", "HTTP/1.1")])
        {
            Length(parameters, name.Length);
            Length(parameters, value.Length);
            parameters.Write(Encoding.Latin1.GetBytes(name + value));
        }
        await stream.WriteAsync((byte[])[.. Record(1, [0, 1, 0, 0, 0, 0, 0, 0]), .. Record(4, parameters.ToArray()), .. Record(4, []), .. Record(5, [])], limit.Token);

        var output = new MemoryStream();
        var header = new byte[8];
        while (true)
        {
            await stream.ReadExactlyAsync(header, limit.Token);
            var content = new byte[BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(4))];
            await stream.ReadExactlyAsync(content, limit.Token);
            await stream.ReadExactlyAsync(new byte[header[6]], limit.Token);
            if (header[1] == 6)
                output.Write(content);
            if (header[1] == 3)
                break;
        }
        var text = Encoding.UTF8.GetString(output.ToArray());
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        return end < 0 ? throw new IOException($"no head: {text}") : (text[..end], text[(end + 4)..]);
    }

    private static byte[] Record(byte type, byte[] content) => [1, type, 0, 1, (byte)(content.Length >> 8), (byte)content.Length, 0, 0, .. content];

    private static void Length(Stream stream, int length)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)length | 0x8000_0000);
        stream.Write(bytes);
    }
}
