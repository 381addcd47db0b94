using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching.Disk;

/// <summary>Reads what <see cref="DiskTextWriter"/> has written.</summary>
internal ref struct DiskTextReader(ReadOnlySpan<byte> bytes)
{
    private const int MaxName = 64;

    private ReadOnlySpan<byte> _rest = bytes;

    public int ReadNumber()
    {
        uint number = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = _rest[0];
            _rest = _rest[1..];
            number |= (uint)(next & 0x7f) << shift;
            if (next < 0x80)
                return (int)number;
        }
    }

    public string? Read()
    {
        var bytes = ReadBytes(out var isWide);
        return isWide is null ? null : isWide.Value ? new(MemoryMarshal.Cast<byte, char>(bytes)) : Encoding.Latin1.GetString(bytes);
    }

    /// <summary>Reads a text, and tells whether it is this one.</summary>
    public bool ReadIs(ReadOnlySpan<char> text)
    {
        var bytes = ReadBytes(out var isWide);
        if (isWide == true)
            return MemoryMarshal.Cast<byte, char>(bytes).SequenceEqual(text);
        if (bytes.Length != text.Length)
            return false;
        for (var i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] != text[i])
                return false;
        }
        return true;
    }

    public string ReadName()
    {
        var bytes = ReadBytes(out var isWide);
        if (isWide == true)
            return new(MemoryMarshal.Cast<byte, char>(bytes));
        if (bytes.Length > MaxName)
            return Encoding.Latin1.GetString(bytes);
        Span<char> name = stackalloc char[MaxName];
        name = name[..Encoding.Latin1.GetChars(bytes, name)];
        return FieldNames.Of(name);
    }

    public StringValues ReadValues()
    {
        var count = ReadNumber();
        if (count == 1)
            return new(Read());
        if (count == 0)
            return StringValues.Empty;
        var values = new string?[count];
        for (var i = 0; i < count; i++)
            values[i] = Read();
        return new(values);
    }

    private ReadOnlySpan<byte> ReadBytes(out bool? isWide)
    {
        var number = ReadNumber();
        isWide = number == 0 ? null : (number & 1) == 0;
        var length = number == 0 ? 0 : isWide!.Value ? number - 2 : number >> 1;
        var bytes = _rest[..length];
        _rest = _rest[length..];
        return bytes;
    }
}
