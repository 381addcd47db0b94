using System.Buffers.Text;

namespace ProxyKit.Forwarding.Http1;

// The body: by its length, by chunks (RFC 9112 §7.1), or until the connection ends.
internal sealed partial class Http1Response
{
    private enum ChunkState
    {
        Size,
        Data,
        DataEnd,
        Trailers,
    }

    public ReadOnlyMemory<byte> Buffered
    {
        get
        {
            if (_chunked || _complete)
                return default;
            var received = connection.Received;
            return !_untilClose && received.Length > _remaining ? received[..(int)_remaining] : received;
        }
    }

    public void Consume(int count)
    {
        connection.Take(count);
        if (!_untilClose && (_remaining -= count) == 0)
            _complete = true;
    }

    public async ValueTask<int> ReadAsync(Memory<byte> memory)
    {
        if (_complete)
            return 0;
        if (_chunked)
            return await ReadChunkedAsync(memory);

        if (!_untilClose && memory.Length > _remaining)
            memory = memory[..(int)_remaining];
        var read = TakeBuffered(memory.Span);
        if (read == 0)
            read = await connection.ReceiveAsync(memory);
        if (read == 0)
        {
            if (!_untilClose)
                throw Truncated();
            _complete = true;
        }
        else if (!_untilClose && (_remaining -= read) == 0)
            _complete = true;
        return read;
    }

    private int TakeBuffered(Span<byte> target)
    {
        var received = connection.Received.Span;
        var count = Math.Min(received.Length, target.Length);
        received[..count].CopyTo(target);
        connection.Take(count);
        return count;
    }

    // RFC 9112 §7.1
    private async ValueTask<int> ReadChunkedAsync(Memory<byte> memory)
    {
        var total = 0;
        while (true)
        {
            if (_chunkState == ChunkState.Data)
            {
                var wanted = memory.Length - total;
                if (wanted == 0)
                    return total;
                if (wanted > _remaining)
                    wanted = (int)_remaining;
                var read = TakeBuffered(memory.Span.Slice(total, wanted));
                if (read == 0)
                {
                    if (total > 0)
                        return total; // what there is goes on before more is waited for
                    read = await connection.ReceiveAsync(memory[..wanted]);
                    if (read == 0)
                        throw Truncated();
                }
                total += read;
                if ((_remaining -= read) == 0)
                    _chunkState = ChunkState.DataEnd;
                continue;
            }

            if (TryParseChunkLine())
            {
                if (_complete)
                    return total;
                continue;
            }
            if (total > 0)
                return total;
            if (!connection.Filled(await connection.FillAsync()))
                throw Truncated();
        }
    }

    private bool TryParseChunkLine()
    {
        if (_chunkState != ChunkState.Trailers)
            _headBytes = 0;
        if (!TryReadLine(out var line, out var hasCr))
            return false;
        if (!hasCr)
            throw Invalid("a chunk line that ends without CR");
        switch (_chunkState)
        {
            case ChunkState.DataEnd:
                if (!line.IsEmpty)
                    throw Invalid("a chunk longer than its size");
                _chunkState = ChunkState.Size;
                break;
            case ChunkState.Size:
                if (!Utf8Parser.TryParse(line, out ulong size, out var consumed, 'x') || consumed > 16 || size > long.MaxValue
                    || (consumed < line.Length && line[consumed..].TrimStart(" \t"u8) is { IsEmpty: false } rest && rest[0] != ';'))
                    throw Invalid("a chunk size that is not one");
                _remaining = (long)size;
                _chunkState = size == 0 ? ChunkState.Trailers : ChunkState.Data;
                _headBytes = 0;
                break;
            default:
                if (line.IsEmpty)
                    _complete = true;
                else
                    ParseField(line, Trailers, []);
                break;
        }
        return true;
    }

    private static ResponseBodyException Truncated() =>
        new(ProxyError.ResponseBodyDestination, new IOException("The destination closed the connection in the middle of the response's body."));
}
