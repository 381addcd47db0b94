namespace ProxyKit.Caching.Disk;

/// <summary>
/// What is kept in memory of a stored response, about 130 bytes of it with its place in the index: enough to name its files, to know their size, and whose turn it is to go.
/// <see cref="DiskIndex"/> owns all that can change.
/// </summary>
/// <param name="hash">Of its key.</param>
/// <param name="id">Larger than those of all that was stored before it.</param>
/// <param name="variant">A hash of <see cref="CachedResponseHead.VariantKey"/>.</param>
internal sealed class DiskEntry(KeyHash hash, long id, ulong variant)
{
    /// <summary>What a file takes of the disk.</summary>
    public const int DiskBlock = 4096;

    public KeyHash Hash => hash;

    public long Id => id;

    public ulong Variant => variant;

    /// <summary>Its neighbours in the order of use.</summary>
    public DiskEntry? Older { get; set; }

    public DiskEntry? Newer { get; set; }

    /// <summary>The response under the same key that was stored before this one.</summary>
    public DiskEntry? Sibling { get; set; }

    /// <summary>Null where they are not known yet: the file has not been read since the start.</summary>
    public DiskTag[]? Tags { get; set; }

    /// <summary>Which head is in the file, if this process has written it: the files' reader compares it. 0 otherwise.</summary>
    public long Stamp { get; set; }

    public uint HeadBlocks { get; set; }

    /// <summary>0 when the body is in the same file as the head.</summary>
    public uint BodyBlocks { get; set; }

    /// <summary>In seconds since 1970.</summary>
    public uint LastUse { get; set; }

    /// <summary>Whether it is in the index.</summary>
    public bool IsStored { get; set; }

    /// <summary>Whether it was there when the process started, and has not been used since.</summary>
    public bool IsFromBefore { get; set; }

    public long Size => DiskBlock * ((long)HeadBlocks + BodyBlocks);

    public static uint BlocksOf(long bytes) => (uint)((bytes + DiskBlock - 1) / DiskBlock);
}

/// <summary>A tag, and what carries it. Guarded by the index.</summary>
internal sealed class DiskTag(string name)
{
    public string Name => name;

    public HashSet<DiskEntry> Entries { get; } = [];
}
