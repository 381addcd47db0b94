namespace ProxyKit.Buffering;

/// <summary>
/// Lets the bytes of a slow upload gather in the server before they are read: a read for each segment costs more than all else. The last read is due when the rate so far brings the rest, so the upload takes no longer.
/// </summary>
internal struct UploadPace(long? length, TimeProvider time)
{
    // Not more than the server keeps, nor so much that an idle client looks like one that sends.
    private const long Piece = 16 * 1024;
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(1), s_shortest = TimeSpan.FromMilliseconds(100);

    private readonly long _start = time.GetTimestamp();
    private long _first;

    /// <summary>How long to wait before the next read, with so many bytes received. Zero for a client that is not slow, and when the length is not known.</summary>
    public TimeSpan Wait(long received)
    {
        if (length is not { } all || received >= all)
            return default;
        if (_first == 0)
        {
            _first = received; // what came with the header section says nothing of the rate
            return default;
        }
        var elapsed = time.GetElapsedTime(_start);
        if (elapsed < s_shortest || received == _first)
            return default;
        var seconds = Math.Min(all - received, Piece) * elapsed.TotalSeconds / (received - _first);
        return seconds < s_shortest.TotalSeconds ? default : TimeSpan.FromSeconds(Math.Min(seconds, s_longest.TotalSeconds));
    }
}
