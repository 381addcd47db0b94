namespace ProxyKit.Buffering;

/// <summary>
/// Where in a file the waiting bytes are: which chunks, in which order. A chunk that has been read is written again before the file grows, so the file grows no
/// larger than what waits at one time, however long the body. Not for several threads.
/// </summary>
internal sealed class ChunkMap
{
    public const int ChunkSize = 64 * 1024;

    private readonly Queue<int> _used = new();
    private readonly Stack<int> _free = new();
    private int _last = -1;
    private int _lastEnd = ChunkSize;
    private int _start;
    private int _next = -1;

    /// <summary>How many bytes wait.</summary>
    public long Waiting { get; private set; }

    /// <summary>How many chunks the file has.</summary>
    public int Chunks { get; private set; }

    /// <summary>Whether the next bytes need a chunk that the file does not have.</summary>
    public bool MustGrow => _lastEnd == ChunkSize && _free.Count == 0;

    /// <summary>Where the next bytes are to be written, and how many there is room for. <see cref="Written"/> or <see cref="NotWritten"/> follows.</summary>
    public (long Offset, int Count) BeginWrite()
    {
        if (_lastEnd < ChunkSize)
            return (Offset(_last, _lastEnd), ChunkSize - _lastEnd);
        _next = _free.TryPop(out var free) ? free : Chunks++;
        return (Offset(_next, 0), ChunkSize);
    }

    public void Written(int count)
    {
        if (_next >= 0)
        {
            _used.Enqueue(_last = _next);
            (_next, _lastEnd) = (-1, 0);
        }
        _lastEnd += count;
        Waiting += count;
    }

    public void NotWritten()
    {
        if (_next >= 0)
            _free.Push(_next);
        _next = -1;
    }

    /// <summary>Where the oldest bytes are, and how many stand together there.</summary>
    public (long Offset, int Count) Peek()
    {
        var first = _used.Peek();
        return (Offset(first, _start), (first == _last ? _lastEnd : ChunkSize) - _start);
    }

    /// <summary>So many of the bytes that <see cref="Peek"/> gave have been read.</summary>
    public void Advance(int count)
    {
        Waiting -= count;
        if ((_start += count) < ChunkSize)
            return;
        _free.Push(_used.Dequeue());
        _start = 0;
    }

    /// <summary>The file is empty.</summary>
    public void Clear()
    {
        _used.Clear();
        _free.Clear();
        (_last, _lastEnd, _start, Chunks, Waiting) = (-1, ChunkSize, 0, 0, 0);
    }

    private static long Offset(int chunk, int position) => ((long)chunk * ChunkSize) + position;
}
