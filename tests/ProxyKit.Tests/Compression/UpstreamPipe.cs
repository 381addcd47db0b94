using System.IO.Pipelines;
using System.Text;

namespace ProxyKit.Tests.Compression;

/// <summary>The body of an upstream that the test sends piece by piece.</summary>
internal sealed class UpstreamPipe
{
    private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0));

    public UpstreamPipe(long? length = null)
    {
        Content = new StreamContent(_pipe.Reader.AsStream());
        Content.Headers.ContentLength = length;
    }

    public HttpContent Content { get; }

    public async Task SendAsync(string text) => await _pipe.Writer.WriteAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(byte[] bytes) => await _pipe.Writer.WriteAsync(bytes);

    public void End() => _pipe.Writer.Complete();

    /// <summary>Ends as a connection does that breaks.</summary>
    public void Break() => _pipe.Writer.Complete(new IOException("The test has broken off."));
}
