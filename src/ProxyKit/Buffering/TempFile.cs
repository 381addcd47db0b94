namespace ProxyKit.Buffering;

/// <summary>
/// A file that only this process can read and that is gone with it. Reads and writes may go on side by side, each at its own offset. Disposing it gives back its space,
/// and its share of the budget.
/// </summary>
internal sealed class TempFile(FileStream file, BufferBudget budget) : IDisposable
{
    private long _taken;
    private int _disposed;

    /// <summary>Takes disk space for so many bytes more from the budget; false if there is not so much left.</summary>
    public bool TryTake(long bytes)
    {
        if (!budget.TryTakeDisk(bytes))
            return false;
        _taken += bytes;
        return true;
    }

    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, long offset, CancellationToken cancellationToken) =>
        RandomAccess.WriteAsync(file.SafeFileHandle, bytes, offset, cancellationToken);

    public ValueTask WriteAsync(IReadOnlyList<ReadOnlyMemory<byte>> pieces, long offset, CancellationToken cancellationToken) =>
        RandomAccess.WriteAsync(file.SafeFileHandle, pieces, offset, cancellationToken);

    /// <summary>0 at the end of what has been written.</summary>
    public ValueTask<int> ReadAsync(Memory<byte> bytes, long offset, CancellationToken cancellationToken) =>
        RandomAccess.ReadAsync(file.SafeFileHandle, bytes, offset, cancellationToken);

    /// <summary>Empties the file, and gives back its space and its share of the budget. Nobody may read or write meanwhile.</summary>
    public void Truncate()
    {
        RandomAccess.SetLength(file.SafeFileHandle, 0);
        budget.ReturnDisk(Interlocked.Exchange(ref _taken, 0));
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        file.Dispose();
        budget.ReturnDisk(Interlocked.Exchange(ref _taken, 0));
    }
}
