using System.IO.Pipelines;
using System.Net;
using System.Text;

namespace ProxyKit.Tests.Buffering;

/// <summary>Content that the test sends piece by piece.</summary>
internal sealed class PipedContent(long? length = null) : HttpContent
{
    private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0));

    public async Task SendAsync(string text) => await _pipe.Writer.WriteAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(byte[] bytes) => await _pipe.Writer.WriteAsync(bytes);

    public void End() => _pipe.Writer.Complete();

    /// <summary>Ends as a connection does that breaks.</summary>
    public void Break() => _pipe.Writer.Complete(new IOException("The test has broken off."));

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        while (true)
        {
            var result = await _pipe.Reader.ReadAsync();
            foreach (var piece in result.Buffer)
                await stream.WriteAsync(piece);
            await stream.FlushAsync();
            _pipe.Reader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
                return;
        }
    }

    protected override bool TryComputeLength(out long value)
    {
        value = length ?? 0;
        return length is not null;
    }
}
