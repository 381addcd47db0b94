using System.Buffers.Binary;
using System.Text;

namespace ProxyKit.Tests.FastCgi;

/// <summary>Records as an application writes them, well-formed or not.</summary>
internal static class Records
{
    public static byte[] Record(byte type, ReadOnlySpan<byte> content, int padding = 0, byte version = 1, ushort id = 1)
    {
        var record = new byte[8 + content.Length + padding];
        record[0] = version;
        record[1] = type;
        BinaryPrimitives.WriteUInt16BigEndian(record.AsSpan(2), id);
        BinaryPrimitives.WriteUInt16BigEndian(record.AsSpan(4), (ushort)content.Length);
        record[6] = (byte)padding;
        content.CopyTo(record.AsSpan(8));
        record.AsSpan(8 + content.Length).Fill((byte)'P'); // what nobody must take for content
        return record;
    }

    public static byte[] Output(string text, int padding = 0) => Output(Encoding.Latin1.GetBytes(text), padding);

    public static byte[] Output(ReadOnlySpan<byte> content, int padding = 0) => Record(6, content, padding);

    public static byte[] Error(string text) => Record(7, Encoding.UTF8.GetBytes(text));

    public static byte[] End(byte status = 0, int padding = 0) => Record(3, [0, 0, 0, 0, status, 0, 0, 0], padding);

    /// <summary>The whole answer of a script, as php-fpm sends it.</summary>
    public static byte[] Answer(string output) => [.. Output(output), .. End()];

    /// <summary>The same with a record for each byte.</summary>
    public static byte[] OneByteRecords(string output) => [.. output.SelectMany(c => Output(c.ToString())), .. End()];
}
