using System.Buffers;
using System.IO.Pipelines;
using ProxyKit.Buffering;

namespace ProxyKit.Caching;

/// <summary>
/// The body of an answer on its way from the upstream: into the store, and from there, while it comes, to all who have asked for it. What is not stored, or turns out too long for the store,
/// is handed to those who are there by then: to a single one no faster than it reads, to each of several through a queue of its own, so that none waits for another.
/// </summary>
/// <remarks>One writes, many read. The last one who lets go frees what was written.</remarks>
internal sealed class CacheFill
{
    private readonly CacheWriter? _writer;
    private readonly long _maxStored;
    private readonly BufferingServices _buffering;
    private readonly Lock _lock = new();
    private readonly List<Reader> _readers = [];
    private TaskCompletionSource _moved = NewSignal();
    private long _stored;
    private int _holders = 1;
    private bool _isRelayed;
    private bool _isEnded;
    private Exception? _failure;

    /// <summary>Begins with nothing.</summary>
    /// <param name="writer">Null where nothing is stored.</param>
    /// <param name="maxStored">How much is.</param>
    /// <param name="buffering">Where what is not stored waits for readers that fall behind.</param>
    public CacheFill(CacheWriter? writer, long maxStored, BufferingServices buffering) => (_writer, _maxStored, _buffering, _isRelayed) = (writer, maxStored, buffering, writer is null);

    /// <summary>How many bytes have come.</summary>
    public long Length { get; private set; }

    /// <summary>Whether all that has come is in the store's hands.</summary>
    public bool IsStored => !_isRelayed && _writer is not null;

    /// <summary>Begins to read, from the start. Null if it is too late: what has passed from hand to hand is gone.</summary>
    public Reader? TryRead()
    {
        lock (_lock)
        {
            if (_holders == 0 || (_isRelayed && (_readers.Count > 0 || Length > 0)))
                return null;
            var reader = new Reader(this);
            if (_isRelayed)
                reader.Relay = new(buffering: null);
            _readers.Add(reader);
            _holders++;
            return reader;
        }
    }

    /// <summary>Appends; where it is not stored, waits until the readers have room for it.</summary>
    /// <exception cref="OperationCanceledException">Nobody wants it any more.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (bytes.IsEmpty)
            return;
        Length += bytes.Length;
        if (!_isRelayed && Length > _maxStored)
            BeginRelay();
        if (!_isRelayed)
        {
            try
            {
                await _writer!.WriteAsync(bytes, cancellationToken);
                lock (_lock)
                {
                    _stored += bytes.Length;
                    Signal();
                }
                return;
            }
            catch (IOException)
            {
                BeginRelay();
            }
        }
        Reader[] readers;
        lock (_lock)
            readers = [.. _readers];
        var isRead = false;
        foreach (var reader in readers)
            isRead |= await reader.Relay!.WriteAsync(bytes, () => CutSlowestAsync(readers), cancellationToken);
        if (!isRead)
            throw new OperationCanceledException("The response is no longer needed.");
    }

    // There is no room for what the readers have not read: the one that is the furthest behind goes, unless it is the last.
    private static async Task CutSlowestAsync(Reader[] readers)
    {
        var reading = readers.Where(reader => reader.Relay!.IsReading).ToArray();
        if (reading.Length > 1)
            await reading.MaxBy(reader => reader.Relay!.Backlog)!.Relay!.CutAsync();
    }

    /// <summary>No more comes. With a failure, what has come is not whole: those who read it break off.</summary>
    public void End(Exception? failure)
    {
        lock (_lock)
        {
            (_isEnded, _failure) = (true, failure);
            foreach (var reader in _readers)
                reader.Relay?.End(failure);
            Signal();
        }
    }

    /// <summary>The writer lets go.</summary>
    public ValueTask ReleaseAsync()
    {
        // Under the lock: nobody begins to read what is just being freed.
        bool isLast;
        lock (_lock)
            isLast = --_holders == 0;
        return isLast && _writer is not null ? _writer.DisposeAsync() : default;
    }

    private void BeginRelay()
    {
        lock (_lock)
        {
            _isRelayed = true;
            foreach (var reader in _readers)
                reader.Relay = new(_readers.Count > 1 ? _buffering : null);
            Signal();
        }
    }

    private void Signal()
    {
        var moved = _moved;
        _moved = NewSignal();
        moved.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async ValueTask LeaveAsync(Reader reader)
    {
        lock (_lock)
            _readers.Remove(reader);
        if (reader.Relay is { } relay)
            await relay.Reader.CompleteAsync();
        await ReleaseAsync();
    }

    /// <summary>One who reads.</summary>
    internal sealed class Reader(CacheFill fill) : ICacheBodySource, IAsyncDisposable
    {
        public CacheRelay? Relay { get; set; }

        /// <summary>Writes the body, or a part of it, to a client as it comes. It breaks off with an exception if the body does.</summary>
        public async ValueTask CopyToAsync(PipeWriter target, long offset, long count, CancellationToken cancellationToken)
        {
            long position = 0; // up to which all is done with
            while (count > 0)
            {
                long stored;
                bool isEnded, isRelayed;
                Task moved;
                lock (fill._lock)
                    (stored, isEnded, isRelayed, moved) = (fill._stored, fill._isEnded, Relay is not null, fill._moved.Task);
                position = stored;
                if (offset < stored)
                {
                    var part = Math.Min(stored - offset, count);
                    await fill._writer!.CopyToAsync(target, offset, part, cancellationToken);
                    offset += part;
                    count -= part;
                }
                else if (isRelayed)
                {
                    await CopyRelayAsync(target, offset - position, count, cancellationToken);
                    return;
                }
                else if (isEnded)
                {
                    ThrowIfFailed();
                    return;
                }
                else
                {
                    await moved.WaitAsync(cancellationToken);
                }
            }
        }

        /// <summary>Waits until the writer is done: what is stored can be found then. Throws if the body has broken off.</summary>
        public async ValueTask EndAsync(CancellationToken cancellationToken)
        {
            while (true)
            {
                Task moved;
                lock (fill._lock)
                {
                    if (fill._isEnded)
                        break;
                    moved = fill._moved.Task;
                }
                await moved.WaitAsync(cancellationToken);
            }
            ThrowIfFailed();
        }

        /// <summary>Throws if the body has broken off.</summary>
        public void ThrowIfFailed()
        {
            if (fill._failure is { } failure)
                throw new IOException("The response broke off.", failure);
        }

        public ValueTask DisposeAsync() => fill.LeaveAsync(this);

        private async ValueTask CopyRelayAsync(PipeWriter target, long skip, long count, CancellationToken cancellationToken)
        {
            var source = Relay!.Reader;
            while (count > 0)
            {
                var read = await source.ReadAsync(cancellationToken);
                var bytes = read.Buffer;
                var skipped = Math.Min(skip, bytes.Length);
                skip -= skipped;
                var wanted = bytes.Slice(skipped);
                if (wanted.Length > count)
                    wanted = wanted.Slice(0, count);
                count -= wanted.Length;
                if (!wanted.IsEmpty)
                {
                    foreach (var segment in wanted)
                        target.Write(segment.Span);
                    var flush = await target.FlushAsync(cancellationToken);
                    if (count > 0 && (flush.IsCompleted || flush.IsCanceled))
                        throw new OperationCanceledException("The client has gone.");
                }
                source.AdvanceTo(bytes.End);
                if (read.IsCompleted)
                    return;
            }
        }
    }
}
