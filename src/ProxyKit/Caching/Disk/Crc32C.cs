using System.Numerics;
using System.Runtime.InteropServices;

namespace ProxyKit.Caching.Disk;

/// <summary>
/// CRC-32C (Castagnoli), as ext4, Btrfs and iSCSI use it. It is there to find what a disk or a power cut has damaged, not what somebody has forged: who can write to the folder can do as he
/// likes. x64 and Arm64 have an instruction for it, which .NET offers; all that is stronger and in the framework (SHA-256) costs several times as much.
/// </summary>
internal static class Crc32C
{
    public static uint Of(ReadOnlySpan<byte> bytes, uint seed)
    {
        var crc = ~seed;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words)
            crc = BitOperations.Crc32C(crc, BitConverter.IsLittleEndian ? word : System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(word));
        foreach (var rest in bytes[(words.Length * sizeof(ulong))..])
            crc = BitOperations.Crc32C(crc, rest);
        return ~crc;
    }
}
