using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace ProxyKit.Caching.Disk;

/// <summary>
/// Appends texts and numbers to an array of the shared pool. A text is its number of characters, one bit that says whether they take a byte each (latin-1, as fields do) or two, and the
/// characters: every text comes back as it was.
/// </summary>
internal ref struct DiskTextWriter(int start)
{
    public byte[] Buffer { get; private set; } = ArrayPool<byte>.Shared.Rent(2048);

    public int Length { get; private set; } = start;

    public void Write(int number)
    {
        var span = Need(5);
        var rest = (uint)number;
        var i = 0;
        for (; rest >= 0x80; rest >>= 7)
            span[i++] = (byte)(rest | 0x80);
        span[i++] = (byte)rest;
        Length += i;
    }

    public void Write(string? text)
    {
        if (text is null)
        {
            Write(0);
            return;
        }
        var isWide = text.AsSpan().ContainsAnyExceptInRange('\0', '\xff');
        Write((text.Length << 1) + (isWide ? 2 : 1));
        if (isWide)
        {
            WriteBytes(MemoryMarshal.AsBytes(text.AsSpan()));
            return;
        }
        Encoding.Latin1.GetBytes(text, Need(text.Length));
        Length += text.Length;
    }

    public void WriteBytes(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Need(bytes.Length));
        Length += bytes.Length;
    }

    public readonly void Return() => ArrayPool<byte>.Shared.Return(Buffer);

    private Span<byte> Need(int count)
    {
        if (Buffer.Length - Length < count)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(2 * Buffer.Length, Length + count));
            Buffer.AsSpan(0, Length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(Buffer);
            Buffer = larger;
        }
        return Buffer.AsSpan(Length);
    }
}
