using System.Buffers;
using System.IO.Compression;

namespace ProxyKit.Compression;

/// <summary>gzip. .NET's encoder is a stream only.</summary>
internal sealed class GzipCoding : IContentCoding
{
    public string Name => ContentCodings.Gzip;

    public int MinLevel => 1;

    public int MaxLevel => 9;

    public int DefaultLevel => 5;

    public IContentEncoder CreateEncoder(int level) => new Encoder(level);

    public Stream CreateDecoder(Stream source) => WholeContentStream.Gzip(source, static source => new GZipStream(source, CompressionMode.Decompress));

    private sealed class Encoder : IContentEncoder
    {
        private readonly BufferStream _target = new();
        private readonly GZipStream _stream;

        public Encoder(int level) => _stream = new(_target, new ZLibCompressionOptions { CompressionLevel = level }, leaveOpen: true);

        public void Write(ReadOnlySpan<byte> content, IBufferWriter<byte> output)
        {
            _target.Output = output;
            _stream.Write(content);
        }

        public void Flush(IBufferWriter<byte> output)
        {
            _target.Output = output;
            _stream.Flush();
        }

        public void Finish(IBufferWriter<byte> output)
        {
            if (_target.Output is null)
            {
                Write(default, output); // a stream that was never written to writes nothing at all
                Flush(output);
            }
            _target.Output = output;
            _stream.Dispose();
        }

        public void Dispose()
        {
            // Of a body that broke off, the end is not written.
            _target.Output = null;
            _stream.Dispose();
        }
    }

    private sealed class BufferStream : Stream
    {
        public IBufferWriter<byte>? Output { get; set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Write(ReadOnlySpan<byte> buffer) => Output?.Write(buffer);

        public override void Write(byte[] buffer, int offset, int count) => Output?.Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
