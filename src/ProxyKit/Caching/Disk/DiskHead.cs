using System.Buffers.Binary;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching.Disk;

/// <summary>
/// The file of a stored response: a fixed part, texts (the key, the head's fields), and, if it is short, the body. It is always written as a whole and under another name, which is changed then.
/// </summary>
/// <remarks>
/// Little-endian. 0 magic and version, 4 CRC-32C of all from 8 to the end of the texts, 8 the end of the texts, 12 CRC-32C of the body that follows, 16 the body's length, 24 id, 32 stamp,
/// 40 flags, 44 status, 48 request time, 56 response time, 64 lifetime, 72 initial age, 80 stale-while-revalidate, 88 stale-if-error, 96 range start, 104 complete length, 112 texts.
/// </remarks>
internal readonly struct DiskHead
{
    /// <summary>A longer one is not stored. That is far beyond what servers accept.</summary>
    public const int MaxLength = 1024 * 1024;

    /// <summary>A body up to this length is in the file of its head, so that a hit is one open and one read. A longer one is in a file of its own, so that a validation writes little.</summary>
    public const int MaxInlineBody = 16 * 1024;

    private const uint Magic = 0x31434b50; // PKC1
    private const int FixedLength = 112;

    public required CachedResponseHead Head { get; init; }

    public required long BodyLength { get; init; }

    /// <summary>Where the body begins in the file; 0 when it is in one of its own.</summary>
    public int BodyStart { get; init; }

    /// <summary>Grows with each head that is written.</summary>
    public required long Stamp { get; init; }

    [Flags]
    private enum Flags : byte
    {
        Inline = 1,
        IsInvalid = 2,
        MustRevalidate = 4,
        NoCache = 8,
        RangeStart = 16,
        CompleteLength = 32,
    }

    /// <summary>Makes a file.</summary>
    /// <param name="key">What it is found by.</param>
    /// <param name="head">What it holds.</param>
    /// <param name="id">The response's.</param>
    /// <param name="stamp">This head's.</param>
    /// <param name="bodyLength">In bytes.</param>
    /// <param name="isInline">Whether the body is in this file, and not in one of its own.</param>
    /// <param name="body">Then; otherwise empty.</param>
    /// <param name="length">How much of the result is used.</param>
    /// <returns>An array of the shared pool; null when it would be too long.</returns>
    public static byte[]? Write(string key, CachedResponseHead head, long id, long stamp, long bodyLength, bool isInline, ReadOnlySpan<byte> body, out int length)
    {
        var texts = new DiskTextWriter(FixedLength);
        texts.Write(key);
        texts.Write(head.Headers.Count);
        foreach (var (name, values) in head.Headers)
        {
            texts.Write(name);
            texts.Write(values.Count);
            foreach (var value in values)
                texts.Write(value);
        }
        texts.Write(head.Vary.Count);
        foreach (var (name, value) in head.Vary)
        {
            texts.Write(name);
            texts.Write(value);
        }
        texts.Write(head.Tags.Count);
        foreach (var tag in head.Tags)
            texts.Write(tag);

        var end = texts.Length;
        length = end + body.Length;
        if (end > MaxLength)
        {
            texts.Return();
            return null;
        }
        texts.WriteBytes(body);
        var file = texts.Buffer.AsSpan();
        var freshness = head.Freshness;
        BinaryPrimitives.WriteUInt32LittleEndian(file, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(file[8..], end);
        BinaryPrimitives.WriteUInt32LittleEndian(file[12..], isInline ? Crc32C.Of(body, (uint)id) : 0);
        BinaryPrimitives.WriteInt64LittleEndian(file[16..], bodyLength);
        BinaryPrimitives.WriteInt64LittleEndian(file[24..], id);
        BinaryPrimitives.WriteInt64LittleEndian(file[32..], stamp);
        BinaryPrimitives.WriteInt32LittleEndian(file[40..], (int)(
            (isInline ? Flags.Inline : 0) | (head.IsInvalid ? Flags.IsInvalid : 0) | (freshness.MustRevalidate ? Flags.MustRevalidate : 0) | (freshness.NoCache ? Flags.NoCache : 0)
            | (head.RangeStart is null ? 0 : Flags.RangeStart) | (head.CompleteLength is null ? 0 : Flags.CompleteLength)));
        BinaryPrimitives.WriteInt32LittleEndian(file[44..], head.StatusCode);
        ReadOnlySpan<long> numbers =
        [
            head.RequestTime.UtcTicks, head.ResponseTime.UtcTicks, freshness.Lifetime.Ticks, freshness.InitialAge.Ticks, freshness.StaleWhileRevalidate.Ticks, freshness.StaleIfError.Ticks,
            head.RangeStart ?? 0, head.CompleteLength ?? 0,
        ];
        for (var i = 0; i < numbers.Length; i++)
            BinaryPrimitives.WriteInt64LittleEndian(file[(48 + (8 * i))..], numbers[i]);
        BinaryPrimitives.WriteUInt32LittleEndian(file[4..], Crc32C.Of(file[8..end], 0));
        return texts.Buffer;
    }

    /// <summary>Reads a file. False when it is damaged, or of another version.</summary>
    /// <param name="file">All of it.</param>
    /// <param name="id">The response's, from the file's name.</param>
    /// <param name="key">Null to have it in <paramref name="foundKey"/>; otherwise a file of another key's is as if damaged.</param>
    /// <param name="foundKey">The key, if it was not given.</param>
    /// <param name="result">What is in there.</param>
    public static bool TryRead(ReadOnlySpan<byte> file, long id, ReadOnlySpan<char> key, out string? foundKey, out DiskHead result)
    {
        (foundKey, result) = (null, default);
        if (file.Length < FixedLength || BinaryPrimitives.ReadUInt32LittleEndian(file) != Magic)
            return false;
        var end = BinaryPrimitives.ReadInt32LittleEndian(file[8..]);
        if (end < FixedLength || end > file.Length || Crc32C.Of(file[8..end], 0) != BinaryPrimitives.ReadUInt32LittleEndian(file[4..])
            || BinaryPrimitives.ReadInt64LittleEndian(file[24..]) != id)
            return false;
        var bodyLength = BinaryPrimitives.ReadInt64LittleEndian(file[16..]);
        var flags = (Flags)BinaryPrimitives.ReadInt32LittleEndian(file[40..]);
        var isInline = (flags & Flags.Inline) != 0;
        if (file.Length - end != (isInline ? bodyLength : 0) || (isInline && Crc32C.Of(file[end..], (uint)id) != BinaryPrimitives.ReadUInt32LittleEndian(file[12..])))
            return false;

        // The checksum is right, so this is what was written.
        var texts = new DiskTextReader(file[FixedLength..end]);
        if (key.IsEmpty)
            foundKey = texts.Read()!;
        else if (!texts.ReadIs(key))
            return false;
        var headers = new KeyValuePair<string, StringValues>[texts.ReadNumber()];
        for (var i = 0; i < headers.Length; i++)
            headers[i] = new(texts.ReadName(), texts.ReadValues());
        var vary = new KeyValuePair<string, string?>[texts.ReadNumber()];
        for (var i = 0; i < vary.Length; i++)
            vary[i] = new(texts.ReadName(), texts.Read());
        var tags = new string[texts.ReadNumber()];
        for (var i = 0; i < tags.Length; i++)
            tags[i] = texts.Read()!;

        result = new()
        {
            BodyLength = bodyLength,
            BodyStart = isInline ? end : 0,
            Stamp = BinaryPrimitives.ReadInt64LittleEndian(file[32..]),
            Head = new()
            {
                StatusCode = BinaryPrimitives.ReadInt32LittleEndian(file[44..]),
                Headers = new(headers),
                Vary = vary.Length == 0 ? [] : new(vary),
                Tags = tags.Length == 0 ? [] : new(tags),
                RequestTime = new(Number(file, 0), TimeSpan.Zero),
                ResponseTime = new(Number(file, 1), TimeSpan.Zero),
                Freshness = new()
                {
                    Lifetime = new(Number(file, 2)),
                    InitialAge = new(Number(file, 3)),
                    StaleWhileRevalidate = new(Number(file, 4)),
                    StaleIfError = new(Number(file, 5)),
                    MustRevalidate = (flags & Flags.MustRevalidate) != 0,
                    NoCache = (flags & Flags.NoCache) != 0,
                },
                RangeStart = (flags & Flags.RangeStart) != 0 ? Number(file, 6) : null,
                CompleteLength = (flags & Flags.CompleteLength) != 0 ? Number(file, 7) : null,
                IsInvalid = (flags & Flags.IsInvalid) != 0,
            },
        };
        return true;
    }

    private static long Number(ReadOnlySpan<byte> file, int index) => BinaryPrimitives.ReadInt64LittleEndian(file[(48 + (8 * index))..]);
}
