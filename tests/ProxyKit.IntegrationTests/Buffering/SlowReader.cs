using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace ProxyKit.IntegrationTests.Buffering;

/// <summary>A client whose kernel holds next to nothing for it.</summary>
internal sealed class SlowReader : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
    private readonly byte[] _buffer = new byte[64 * 1024];
    private byte[] _rest = [];

    /// <summary>Sends a GET and reads the head of its answer.</summary>
    public static async Task<SlowReader> GetAsync(int port)
    {
        var reader = new SlowReader();
        await reader._socket.ConnectAsync(IPAddress.Loopback, port);
        await reader._socket.SendAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"u8.ToArray());
        var text = "";
        while (!text.Contains("\r\n\r\n", StringComparison.Ordinal))
            text += Encoding.Latin1.GetString(reader._buffer, 0, await reader.ReceiveAsync());
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
        (reader.Head, reader._rest) = (text[..end], Encoding.Latin1.GetBytes(text[end..]));
        return reader;
    }

    public string Head { get; private set; } = "";

    /// <summary>How many bytes of the body have been read.</summary>
    public long Read { get; private set; }

    public async Task ReadAsync(long count)
    {
        while (Read < count && await ReadSomeAsync() is { Length: > 0 })
        {
        }
    }

    /// <summary>The hash of the whole body, if the server ends it and nothing has been read before.</summary>
    public async Task<byte[]> HashAsync(int pauseEvery = 0)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var next = pauseEvery;
        while (await ReadSomeAsync() is { Length: > 0 } bytes)
        {
            hash.AppendData(bytes.Span);
            if (pauseEvery > 0 && Read >= next)
            {
                next += pauseEvery;
                await Task.Delay(10);
            }
        }
        return hash.GetHashAndReset();
    }

    private async Task<ReadOnlyMemory<byte>> ReadSomeAsync()
    {
        ReadOnlyMemory<byte> bytes = _rest;
        _rest = [];
        if (bytes.IsEmpty)
            bytes = _buffer.AsMemory(0, await ReceiveAsync());
        Read += bytes.Length;
        return bytes;
    }

    private async Task<int> ReceiveAsync()
    {
        using var limit = new CancellationTokenSource(Protocols.Peers.Patience);
        return await _socket.ReceiveAsync(_buffer, limit.Token);
    }

    public void Dispose() => _socket.Dispose();
}
