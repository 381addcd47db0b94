using System.Buffers;
using System.IO.Pipelines;
using ProxyKit.Forwarding;

namespace ProxyKit.Buffering;

/// <summary>
/// Bytes on their way from a fast writer to a slow reader: in memory, then in a file, and then the writer has to wait. One writer and one reader, side by side.
/// Memory takes bytes only while none wait in the file, so those in memory are the older ones.
/// </summary>
internal sealed class SpillQueue(ResponseBufferingConfig config, BufferingServices services, Func<TempFile> createFile) : IDisposable
{
    // Of a file, at a time. As much as makes Kestrel say that the client is slow.
    private const int FileRead = 32 * 1024;
    // A file that is empty and has grown beyond this is given back to the disk.
    private const int KeptChunks = 16;

    private readonly Lock _lock = new();
    private readonly BlockQueue _memory = new(config.MemoryThreshold, services.Budget);
    private readonly ChunkMap _map = new();
    private TempFile? _file;
    private long _memoryBytes;
    private bool _isWriting;
    private bool _hasFailed;
    private bool _hasReaderLeft;
    private TaskCompletionSource? _room;
    private Task? _returned;

    public bool IsEmpty
    {
        get
        {
            lock (_lock)
                return _memoryBytes + _map.Waiting == 0;
        }
    }

    /// <summary>How many bytes there are in the file now, waiting or not.</summary>
    public long FileLength
    {
        get
        {
            lock (_lock)
                return (long)_map.Chunks * ChunkMap.ChunkSize;
        }
    }

    /// <summary>Takes some of the bytes, from their beginning.</summary>
    /// <returns>How many; 0 when there is no room. Then <see cref="WaitForRoomAsync"/>.</returns>
    public ValueTask<int> WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        lock (_lock)
        {
            var allowed = config.MaxSize - _memoryBytes - _map.Waiting;
            if (allowed <= 0)
                return new(NoRoom(returned: null));
            if (bytes.Length > allowed)
                bytes = bytes[..(int)allowed];
            if (_map.Waiting == 0 && _memory.Write(bytes.Span) is > 0 and var written)
            {
                _memoryBytes += written;
                return new(written);
            }
        }
        return new(SpillAsync(bytes));
    }

    /// <summary>Ends when <see cref="WriteAsync"/>, which had no room, may find some.</summary>
    public Task WaitForRoomAsync(CancellationToken cancellationToken)
    {
        Task room = _room!.Task;
        return (_returned is { } returned ? Task.WhenAny(room, returned) : room).WaitAsync(cancellationToken);
    }

    /// <summary>Moves the oldest bytes to <paramref name="target"/>, without flushing it.</summary>
    /// <returns>How many; 0 when none wait.</returns>
    /// <exception cref="ResponseBodyException">The file cannot be read.</exception>
    public ValueTask<int> ReadAsync(PipeWriter target)
    {
        ReadOnlyMemory<byte> bytes;
        lock (_lock)
        {
            bytes = _memory.Peek();
            if (bytes.IsEmpty)
            {
                if (_map.Waiting == 0)
                    return new(0);
                var (offset, count) = _map.Peek();
                return new(ReadFileAsync(target, offset, Math.Min(count, FileRead)));
            }
        }
        target.Write(bytes.Span);
        lock (_lock)
        {
            _memory.Advance(bytes.Length);
            _memoryBytes -= bytes.Length;
            Freed();
        }
        return new(bytes.Length);
    }

    /// <summary>Nobody waits for room in vain any more.</summary>
    public void ReaderLeft()
    {
        lock (_lock)
        {
            _hasReaderLeft = true;
            Freed();
        }
    }

    /// <summary>Drops what still waits. Nobody writes or reads any more.</summary>
    public void Dispose()
    {
        _memory.Clear();
        _file?.Dispose();
    }

    private async Task<int> SpillAsync(ReadOnlyMemory<byte> bytes)
    {
        long offset;
        try
        {
            lock (_lock)
            {
                _file ??= createFile();
                // The task first, and then once more, or what is given back between the two would be missed.
                if (!TryGrow() && services.Budget.Returned is var returned && !TryGrow())
                    return NoRoom(returned);
                (offset, var count) = _map.BeginWrite();
                if (bytes.Length > count)
                    bytes = bytes[..count];
                _isWriting = true;
            }
            await _file.WriteAsync(bytes, offset, CancellationToken.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Failed(e);
        }
        lock (_lock)
        {
            _isWriting = false;
            _map.Written(bytes.Length);
        }
        return bytes.Length;
    }

    private async Task<int> ReadFileAsync(PipeWriter target, long offset, int count)
    {
        int read;
        try
        {
            read = await _file!.ReadAsync(target.GetMemory(count)[..count], offset, CancellationToken.None);
            if (read == 0)
                throw new EndOfStreamException("The temporary file is shorter than what was written to it.");
        }
        catch (Exception e)
        {
            throw new ResponseBodyException(ProxyError.ResponseCreation, e);
        }
        target.Advance(read);
        lock (_lock)
        {
            _map.Advance(read);
            if (_map.Waiting == 0 && _map.Chunks > KeptChunks && !_isWriting)
            {
                _map.Clear();
                _file.Truncate();
            }
            Freed();
        }
        return read;
    }

    private bool TryGrow() => !_map.MustGrow || _file!.TryTake(ChunkMap.ChunkSize);

    // A full disk is like a spent budget: the writer waits, and tries again when the reader has got on.
    private int Failed(Exception exception)
    {
        lock (_lock)
        {
            if (_isWriting)
                _map.NotWritten();
            _isWriting = false;
            NoRoom(services.Budget.Returned);
            if (_hasFailed)
                return 0;
            _hasFailed = true;
        }
        services.Log.SpillFailed(exception);
        return 0;
    }

    private int NoRoom(Task? returned)
    {
        _room = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _returned = returned;
        if (_hasReaderLeft || _memoryBytes + _map.Waiting == 0)
            Freed(); // a reader that has taken everything in the meantime will not say so again
        return 0;
    }

    private void Freed() => _room?.TrySetResult();
}
