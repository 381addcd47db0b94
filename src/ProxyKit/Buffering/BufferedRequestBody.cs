using System.Buffers;
using System.Net;

namespace ProxyKit.Buffering;

/// <summary>
/// A client's body, taken off it whole: in memory, or all but its end in a file. It is written once; then it is read any number of times, side by side too, until it is
/// disposed.
/// </summary>
internal sealed class BufferedRequestBody : IDisposable
{
    private const int FirstBlock = 4 * 1024, Block = 16 * 1024;

    private readonly BufferingServices _services;
    private readonly int _threshold;
    private readonly long? _expected;
    private readonly IPAddress? _client;
    private long _share; // taken of the client's
    private readonly List<ArraySegment<byte>> _blocks = [];
    private int _capacity; // of the blocks
    private int _current, _offset; // where in the blocks the next byte goes
    private int _inMemory;
    private long _inFile;
    private TempFile? _file;
    private int _disposed;

    public BufferedRequestBody(BufferingServices services, int threshold, long? expected, IPAddress? client = null)
    {
        (_services, _threshold, _expected, _client) = (services, (int)Math.Min(threshold, services.Budget.MaxMemory), expected, client);
        Stream = new(this);
    }

    public long Length => _inFile + _inMemory;

    /// <summary>Whether there is no file behind it.</summary>
    public bool IsInMemory => _file is null;

    /// <summary>The body for who reads it as a stream: what <c>HttpContext.Request.Body</c> is from now on.</summary>
    public BufferedBodyStream Stream { get; }

    /// <exception cref="BufferException">There is no room.</exception>
    public async ValueTask WriteAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken)
    {
        if (bytes.IsEmpty)
            return;
        if (!HasRoom() && _capacity == 0)
        {
            // Not even one block: from the client's buffer to the file.
            var pieces = new List<ReadOnlyMemory<byte>>();
            foreach (var segment in bytes)
                pieces.Add(segment);
            await AppendAsync(pieces, bytes.Length, cancellationToken);
            return;
        }
        foreach (var segment in bytes)
        {
            var rest = segment;
            while (!rest.IsEmpty)
            {
                if (!HasRoom())
                    await EmptyBlocksAsync(cancellationToken);
                var block = _blocks[_current];
                var count = Math.Min(rest.Length, block.Count - _offset);
                rest.Span[..count].CopyTo(block.AsSpan(_offset));
                _offset += count;
                _inMemory += count;
                rest = rest[count..];
            }
        }
    }

    /// <summary>What there is at this position, up to the destination's length; 0 at the end.</summary>
    public async ValueTask<int> ReadAsync(long position, Memory<byte> destination, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        if (position >= _inFile)
            return ReadMemory((int)(position - _inFile), destination.Span);
        var wanted = (int)Math.Min(destination.Length, _inFile - position);
        int read;
        try
        {
            read = await _file!.ReadAsync(destination[..wanted], position, cancellationToken);
        }
        catch (IOException e)
        {
            throw new BufferException("A temporary file could not be read.", e);
        }
        return read > 0 || wanted == 0 ? read : throw new BufferException("A temporary file is shorter than what was written to it.");
    }

    /// <summary>Reads from memory, where all of the body is if <see cref="IsInMemory"/>.</summary>
    public int ReadMemory(int position, Span<byte> destination)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        var copied = 0;
        var left = _inMemory;
        foreach (var block in _blocks)
        {
            var filled = Math.Min(block.Count, left);
            left -= filled;
            if (position >= filled)
            {
                position -= filled;
                continue;
            }
            var count = Math.Min(filled - position, destination.Length - copied);
            block.AsSpan(position, count).CopyTo(destination[copied..]);
            copied += count;
            position = 0;
        }
        return copied;
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _file?.Dispose();
        _services.Budget.ReturnShare(_client, _share);
        foreach (var block in _blocks)
            ArrayPool<byte>.Shared.Return(block.Array!);
        _services.Budget.ReturnMemory(_capacity);
    }

    private bool HasRoom()
    {
        if (_current < _blocks.Count && _offset == _blocks[_current].Count)
            (_current, _offset) = (_current + 1, 0);
        if (_current < _blocks.Count)
            return true;
        var size = Math.Min(_capacity > 0 ? Block : (int)Math.Min(_expected ?? FirstBlock, Block), _threshold - _capacity);
        if (size <= 0 || !_services.Budget.TryTakeMemory(size))
            return false;
        _capacity += size;
        _blocks.Add(new(ArrayPool<byte>.Shared.Rent(size), 0, size));
        return true;
    }

    private async ValueTask EmptyBlocksAsync(CancellationToken cancellationToken)
    {
        var full = new ReadOnlyMemory<byte>[_blocks.Count];
        for (var i = 0; i < full.Length; i++)
            full[i] = _blocks[i];
        await AppendAsync(full, _inMemory, cancellationToken);
        (_inMemory, _current, _offset) = (0, 0, 0);
    }

    private async ValueTask AppendAsync(IReadOnlyList<ReadOnlyMemory<byte>> pieces, long length, CancellationToken cancellationToken)
    {
        try
        {
            _file ??= _services.Files.Create();
            if (!_services.Budget.TryTakeShare(_client, length))
                throw new BufferException($"The client's share of the disk space for buffered bodies ({_services.Budget.MaxDiskOf(_client)} bytes, MaxClientShare) is taken.");
            _share += length;
            if (!_file.TryTake(length))
                throw new BufferException($"All of the disk space for buffered bodies ({_services.Budget.MaxDisk} bytes) is taken.");
            await _file.WriteAsync(pieces, _inFile, cancellationToken);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException and not BufferException)
        {
            throw new BufferException("A temporary file could not be written.", e);
        }
        _inFile += length;
    }
}
