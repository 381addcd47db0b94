using System.Buffers.Binary;
using System.Globalization;
using System.IO.Enumeration;
using Microsoft.Win32.SafeHandles;
using ProxyKit.Buffering;

namespace ProxyKit.Caching.Disk;

/// <summary>
/// The cache's folder while this process has it: <c>proxykit-cache</c> in the one that is configured, nobody else's to look into. It has a lock file, a small file of what must be known at the
/// next start, and the responses in <c>entries/a/bc/</c>, two files each at most: the head's, which is named after the key's hash, the id and the variant's hash, and the body's, with
/// <c>.body</c> at its end.
/// </summary>
internal sealed class DiskFolder : IDisposable
{
    private const uint StateMagic = 0x31534b50; // PKS1
    private const int StateLength = 24;
    private const int IdsPerSecondBits = 24; // as long as a process makes fewer, the clock stays ahead of its ids
    private const string BodySuffix = ".body", TempSuffix = ".tmp", TrashPrefix = "trash-";
    private const int NameLength = 32 + 1 + 16 + 1 + 16;

    private readonly FileStream _lock;
    private readonly string _entries;
    private readonly Lock _writing = new();
    private long _lastId;
    private long _invalidBefore;

    private DiskFolder(string root, FileStream file, TimeProvider time)
    {
        (Root, _lock, _entries) = (root, file, Path.Combine(root, "entries"));
        var before = ReadState();
        // Larger than all before it, by what is remembered and by the clock: either may be wrong.
        _lastId = (Math.Max(before, time.GetUtcNow().ToUnixTimeSeconds()) + 1) << IdsPerSecondBits;
        WriteState();
        PrivateFolder.Make(_entries);
    }

    public string Root { get; }

    /// <summary>What was stored or validated before this has been marked as invalid.</summary>
    public long InvalidBefore => Volatile.Read(ref _invalidBefore);

    /// <summary>Takes the folder for this process. Throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>, with a message for operators.</summary>
    public static DiskFolder Open(string parent, TimeProvider time)
    {
        var root = PrivateFolder.Make(Path.Combine(Path.GetFullPath(parent), "proxykit-cache"));
        var path = Path.Combine(root, "lock");
        FileStream file;
        try
        {
            file = new(path, TempFiles.Options(FileMode.OpenOrCreate, deleteOnClose: false));
        }
        catch (IOException e)
        {
            throw new IOException($"'{root}' is in use by another process; each needs a folder of its own. ({e.Message})", e);
        }
        try
        {
            return new(root, file, time);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public long NextId() => Interlocked.Increment(ref _lastId);

    /// <summary>Marks all that is stored as invalid.</summary>
    public void InvalidateAll()
    {
        lock (_writing)
        {
            Volatile.Write(ref _invalidBefore, NextId());
            WriteState();
        }
    }

    public string HeadPath(DiskEntry entry) => string.Create(CultureInfo.InvariantCulture, $"{ShardPath(entry.Hash.Shard)}/{entry.Hash.High:x16}{entry.Hash.Low:x16}-{entry.Id:x16}-{entry.Variant:x16}");

    public string BodyPath(DiskEntry entry) => HeadPath(entry) + BodySuffix;

    /// <summary>A file for writing only; its folder is made if need be.</summary>
    public static FileStream Create(string path)
    {
        var options = TempFiles.Options(FileMode.Create, deleteOnClose: false);
        options.Share = FileShare.ReadWrite | FileShare.Delete;
        for (var tries = 0; ; tries++)
        {
            try
            {
                if (tries > 0)
                {
                    var folder = Path.GetDirectoryName(path)!;
                    PrivateFolder.Create(Path.GetDirectoryName(folder)!); // with its parents, .NET gives those the usual mode
                    PrivateFolder.Create(folder);
                }
                return new(path, options);
            }
            catch (IOException e) when (tries < 4 && (tries > 0 || e is DirectoryNotFoundException or FileNotFoundException))
            {
                // Once, unless everything is purged at the same time: what .NET says then is not always that a folder is missing.
            }
        }
    }


    public string WriteTemp(DiskEntry entry, ReadOnlySpan<byte> bytes)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"{HeadPath(entry)}.{NextId():x}{TempSuffix}");
        try
        {
            using var file = Create(path);
            RandomAccess.Write(file.SafeFileHandle, bytes, 0);
        }
        catch
        {
            TryDelete(path);
            throw;
        }
        return path;
    }

    public static SafeFileHandle OpenRead(string path, FileOptions options) => File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, options);

    /// <summary>False if it is still there.</summary>
    public static bool TryDelete(string path)
    {
        try
        {
            File.Delete(path);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (Exception e) when (DiskCacheStore.IsOfDisk(e))
        {
            return false;
        }
    }

    /// <summary>Finds the responses in one of the folders, and removes what belongs to none: what a crash has left. Nobody writes there yet.</summary>
    public List<DiskEntry> ReadShard(int shard)
    {
        var path = ShardPath(shard);
        List<DiskEntry> found = [];
        Dictionary<string, long>? bodies = null;
        if (!Directory.Exists(path))
            return found;
        try
        {
            foreach (var (name, length, lastUse) in new FileSystemEnumerable<(string Name, long Length, DateTimeOffset LastUse)>(
                path, static (ref file) => (file.FileName.ToString(), file.Length, file.LastWriteTimeUtc)))
            {
                if (name.EndsWith(BodySuffix, StringComparison.Ordinal))
                    (bodies ??= new(StringComparer.Ordinal))[name[..^BodySuffix.Length]] = length;
                else if (TryParse(name, shard) is { } entry && length is > 0 and <= DiskHead.MaxLength + DiskHead.MaxInlineBody)
                {
                    entry.HeadBlocks = DiskEntry.BlocksOf(length);
                    entry.LastUse = (uint)Math.Clamp(lastUse.ToUnixTimeSeconds(), 0, uint.MaxValue);
                    found.Add(entry);
                }
                else
                    TryDelete(Path.Combine(path, name));
            }
        }
        catch (DirectoryNotFoundException)
        {
        }
        RemoveReplaced(found);
        if (bodies is null)
            return found;
        foreach (var entry in found)
        {
            if (bodies.Remove(Path.GetFileName(HeadPath(entry)), out var length))
                entry.BodyBlocks = DiskEntry.BlocksOf(length);
        }
        foreach (var orphan in bodies.Keys)
            TryDelete(Path.Combine(path, orphan + BodySuffix));
        return found;
    }

    // A crash may have come between a response's commit and the removal of the one in whose place it came.
    private void RemoveReplaced(List<DiskEntry> found)
    {
        found.Sort(static (a, b) => b.Id.CompareTo(a.Id));
        var seen = new HashSet<(KeyHash, ulong)>();
        for (var i = 0; i < found.Count; i++)
        {
            if (seen.Add((found[i].Hash, found[i].Variant)))
                continue;
            TryDelete(HeadPath(found[i]));
            found.RemoveAt(i--);
        }
    }

    /// <summary>Takes all responses away at once. Nobody stores one meanwhile.</summary>
    public void TakeAllAway()
    {
        try
        {
            Directory.Move(_entries, Path.Combine(Root, string.Create(CultureInfo.InvariantCulture, $"{TrashPrefix}{NextId():x}")));
        }
        catch (DirectoryNotFoundException)
        {
        }
        PrivateFolder.Make(_entries);
    }

    /// <summary>Removes from the disk what <see cref="TakeAllAway"/> took away, now or before the process started.</summary>
    public void EmptyTrash()
    {
        foreach (var trash in Directory.EnumerateDirectories(Root, TrashPrefix + "*"))
        {
            try
            {
                Directory.Delete(trash, recursive: true);
            }
            catch (Exception e) when (DiskCacheStore.IsOfDisk(e))
            {
                // Two may do it at once, and who still writes may add a file: the next one clears up.
            }
        }
    }

    public void Dispose() => _lock.Dispose();

    private string ShardPath(int shard) => string.Create(CultureInfo.InvariantCulture, $"{_entries}/{shard >> 8:x1}/{shard & 0xff:x2}");

    private static DiskEntry? TryParse(ReadOnlySpan<char> name, int shard)
    {
        if (name.Length != NameLength || name[32] != '-' || name[49] != '-'
            || !ulong.TryParse(name[..16], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var high)
            || !ulong.TryParse(name[16..32], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var low)
            || !long.TryParse(name[33..49], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id)
            || !ulong.TryParse(name[50..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var variant))
            return null;
        var hash = new KeyHash(high, low);
        return hash.Shard == shard ? new(hash, id, variant) : null;
    }

    private long ReadState()
    {
        try
        {
            var state = File.ReadAllBytes(Path.Combine(Root, "state"));
            if (state.Length == StateLength && BinaryPrimitives.ReadUInt32LittleEndian(state) == StateMagic && BinaryPrimitives.ReadUInt32LittleEndian(state.AsSpan(4)) == Crc32C.Of(state.AsSpan(8), 0))
            {
                _invalidBefore = BinaryPrimitives.ReadInt64LittleEndian(state.AsSpan(16));
                return BinaryPrimitives.ReadInt64LittleEndian(state.AsSpan(8)) >> IdsPerSecondBits;
            }
        }
        catch (FileNotFoundException)
        {
        }
        return 0;
    }

    private void WriteState()
    {
        var state = new byte[StateLength];
        BinaryPrimitives.WriteUInt32LittleEndian(state, StateMagic);
        BinaryPrimitives.WriteInt64LittleEndian(state.AsSpan(8), Volatile.Read(ref _lastId));
        BinaryPrimitives.WriteInt64LittleEndian(state.AsSpan(16), _invalidBefore);
        BinaryPrimitives.WriteUInt32LittleEndian(state.AsSpan(4), Crc32C.Of(state.AsSpan(8), 0));
        var path = Path.Combine(Root, "state");
        using (var file = Create(path + TempSuffix))
        {
            file.Write(state);
            file.Flush(flushToDisk: true); // rarely written, and an invalidation must not be forgotten
        }
        File.Move(path + TempSuffix, path, overwrite: true);
    }
}
