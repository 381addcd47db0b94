using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Microsoft.Win32.SafeHandles;

namespace ProxyKit.Caching.Disk;

/// <summary>
/// A long body's file: blocks of 64 KB, each of which ends with the checksum of its bytes, seeded with the response's id and the block's number. So a part of the body is checked before it is
/// sent without reading the rest, a block that belongs elsewhere is found out, and the head does not grow with the body.
/// </summary>
internal static class DiskBlocks
{
    public const int BlockLength = 64 * 1024;
    public const int ChecksumLength = sizeof(uint);

    /// <summary>How many bytes of the body are in a block.</summary>
    public const int Payload = BlockLength - ChecksumLength;

    /// <summary>How long the file is that holds so long a body.</summary>
    public static long FileLength(long bodyLength) => bodyLength + (ChecksumLength * ((bodyLength + Payload - 1) / Payload));

    /// <summary>Writes the checksum of the first <paramref name="length"/> bytes behind them.</summary>
    public static void Seal(byte[] block, int length, long id, long number) =>
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(length), Crc32C.Of(block.AsSpan(0, length), Seed(id, number)));

    /// <summary>Writes a part of a body to a client.</summary>
    /// <exception cref="DiskDamageException">A block is damaged, or cannot be read. Nothing of it has been written.</exception>
    public static async ValueTask CopyAsync(SafeFileHandle file, long id, long bodyLength, PipeWriter target, long offset, long count, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BlockLength);
        try
        {
            while (count > 0)
            {
                var number = offset / Payload;
                var start = (int)(offset % Payload);
                var length = (int)Math.Min(Payload, bodyLength - (number * Payload));
                await ReadAsync(file, buffer, length, id, number, cancellationToken);
                var piece = buffer.AsMemory(start, (int)Math.Min(count, length - start));
                offset += piece.Length;
                count -= piece.Length;
                var written = await target.WriteAsync(piece, cancellationToken);
                if (count > 0)
                    ThrowIfEnded(written, cancellationToken);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public static void ThrowIfEnded(FlushResult result, CancellationToken cancellationToken)
    {
        if (result.IsCanceled || result.IsCompleted)
            throw new OperationCanceledException("The client has gone.", cancellationToken);
    }

    private static async ValueTask ReadAsync(SafeFileHandle file, byte[] block, int length, long id, long number, CancellationToken cancellationToken)
    {
        try
        {
            var position = number * BlockLength;
            for (var rest = block.AsMemory(0, length + ChecksumLength); !rest.IsEmpty;)
            {
                var read = await RandomAccess.ReadAsync(file, rest, position, cancellationToken);
                if (read == 0)
                    throw new EndOfStreamException("It is too short.");
                rest = rest[read..];
                position += read;
            }
        }
        catch (IOException e)
        {
            throw new DiskDamageException("A stored body cannot be read.", e);
        }
        if (BinaryPrimitives.ReadUInt32LittleEndian(block.AsSpan(length)) != Crc32C.Of(block.AsSpan(0, length), Seed(id, number)))
            throw new DiskDamageException("A stored body is damaged.", null);
    }

    private static uint Seed(long id, long number) => unchecked((uint)id + ((uint)number * 0x9e3779b1));
}

/// <summary>A body's file does not hold what was written to it.</summary>
internal sealed class DiskDamageException(string message, Exception? inner) : IOException(message, inner);
