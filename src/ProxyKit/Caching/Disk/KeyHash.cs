using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace ProxyKit.Caching.Disk;

/// <summary>
/// What stands for a key in memory and in file names: the first 128 bits of its SHA-256, so that nobody finds two keys for one name. The key itself is in the file, and is compared.
/// </summary>
internal readonly record struct KeyHash(ulong High, ulong Low)
{
    /// <summary>How many folders the files are spread over: 16 with 256 in each, as with nginx's <c>levels=1:2</c>; empty, they take 16 MB.</summary>
    public const int Shards = 4096;

    public int Shard => (int)(High >> 52);

    public static KeyHash Of(ReadOnlySpan<char> key)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(MemoryMarshal.AsBytes(key), hash);
        return new(BinaryPrimitives.ReadUInt64BigEndian(hash), BinaryPrimitives.ReadUInt64BigEndian(hash[8..]));
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{High:x16}{Low:x16}");
}
