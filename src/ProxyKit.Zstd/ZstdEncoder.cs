using System.Buffers;
using ZstdSharp;

namespace ProxyKit.Zstd;

internal sealed class ZstdEncoder(ZstdCoding owner, Compressor compressor, int level) : IContentEncoder
{
    private const int Piece = 4096;

    private Compressor? _compressor = compressor;

    public void Write(ReadOnlySpan<byte> content, IBufferWriter<byte> output)
    {
        while (!content.IsEmpty)
        {
            _compressor!.WrapStream(content, output.GetSpan(Piece), out var consumed, out var written, isFinalBlock: false);
            content = content[consumed..];
            output.Advance(written);
        }
    }

    public void Flush(IBufferWriter<byte> output) => Flush(output, isFinalBlock: false);

    public void Finish(IBufferWriter<byte> output) => Flush(output, isFinalBlock: true);

    public void Dispose()
    {
        if (_compressor is not { } compressor)
            return;
        _compressor = null;
        owner.Return(compressor, level);
    }

    private void Flush(IBufferWriter<byte> output, bool isFinalBlock)
    {
        OperationStatus status;
        do
        {
            status = _compressor!.FlushStream(output.GetSpan(Piece), out var written, isFinalBlock);
            output.Advance(written);
        }
        while (status == OperationStatus.DestinationTooSmall);
    }
}
