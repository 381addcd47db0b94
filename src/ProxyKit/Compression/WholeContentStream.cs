using System.Buffers.Binary;

namespace ProxyKit.Compression;

/// <summary>
/// Decoded content that ends with an exception if its source ended before it was whole. .NET's decoders take that for the end, unless a switch of the whole process forbids it.
/// </summary>
internal sealed class WholeContentStream : ReadingStream
{
    private readonly Stream _decoder;
    private readonly Source _source;
    private readonly Func<Source, long, bool> _isWhole;
    private long _length;

    private WholeContentStream(Stream source, Func<Stream, Stream> decoder, Func<Source, long, bool> isWhole)
    {
        _source = new(source);
        _decoder = decoder(_source);
        _isWhole = isWhole;
    }

    /// <summary>Brotli knows its end, and its decoder asks for no more then.</summary>
    public static WholeContentStream Brotli(Stream source, Func<Stream, Stream> decoder) => new(source, decoder, static (source, _) => !source.HasEnded);

    /// <summary>gzip ends with its length, or that of its last member (RFC 1952 §2.3.1). Anything else is hardly ever so small.</summary>
    public static WholeContentStream Gzip(Stream source, Func<Stream, Stream> decoder) =>
        new(source, decoder, static (source, length) => length > uint.MaxValue || source.Tail <= length);

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await _decoder.ReadAsync(buffer, cancellationToken);
        _length += read;
        if (read == 0 && !buffer.IsEmpty && !_isWhole(_source, _length))
            throw new InvalidDataException("The compressed content ended before it was whole.");
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _decoder.Dispose();
        base.Dispose(disposing);
    }

    private sealed class Source(Stream inner) : ReadingStream
    {
        private readonly byte[] _tail = new byte[sizeof(uint)];

        public bool HasEnded { get; private set; }

        /// <summary>The last four bytes so far, as a number.</summary>
        public uint Tail => BinaryPrimitives.ReadUInt32LittleEndian(_tail);

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            HasEnded = read == 0;
            Keep(buffer.Span[..read]);
            return read;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }

        private void Keep(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length < _tail.Length)
                _tail.AsSpan(bytes.Length).CopyTo(_tail);
            var last = bytes.Length < _tail.Length ? bytes : bytes[^_tail.Length..];
            last.CopyTo(_tail.AsSpan(_tail.Length - last.Length));
        }
    }
}
