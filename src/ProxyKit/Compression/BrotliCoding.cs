using System.Buffers;
using System.IO.Compression;

namespace ProxyKit.Compression;

/// <summary>Brotli, by .NET's encoder straight into the response's pipe.</summary>
internal sealed class BrotliCoding : IContentCoding
{
    // 512 KB, as nginx's. The usual 4 MB would be held for each response that is under way, for a percent or two.
    private const int WindowBits = 19;

    public string Name => ContentCodings.Brotli;

    public int MinLevel => 0;

    public int MaxLevel => 11;

    public int DefaultLevel => 4;

    public IContentEncoder CreateEncoder(int level) => new Encoder(level);

    public Stream CreateDecoder(Stream source) => WholeContentStream.Brotli(source, static source => new BrotliStream(source, CompressionMode.Decompress));

    private sealed class Encoder(int level) : IContentEncoder
    {
        private const int Piece = 4096;

        private BrotliEncoder _encoder = new(level, WindowBits);

        public void Write(ReadOnlySpan<byte> content, IBufferWriter<byte> output) => Compress(content, output, isFinalBlock: false);

        public void Flush(IBufferWriter<byte> output)
        {
            OperationStatus status;
            do
            {
                status = _encoder.Flush(output.GetSpan(Piece), out var written);
                output.Advance(written);
            }
            while (status == OperationStatus.DestinationTooSmall);
            Check(status);
        }

        public void Finish(IBufferWriter<byte> output) => Compress(default, output, isFinalBlock: true);

        public void Dispose() => _encoder.Dispose();

        private void Compress(ReadOnlySpan<byte> content, IBufferWriter<byte> output, bool isFinalBlock)
        {
            OperationStatus status;
            do
            {
                status = _encoder.Compress(content, output.GetSpan(Piece), out var consumed, out var written, isFinalBlock);
                content = content[consumed..];
                output.Advance(written);
            }
            while (status == OperationStatus.DestinationTooSmall);
            Check(status);
        }

        private static void Check(OperationStatus status)
        {
            if (status != OperationStatus.Done)
                throw new InvalidOperationException("Brotli's encoder failed.");
        }
    }
}
