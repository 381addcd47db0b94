using System.Net;
using System.Text;

namespace ProxyKit.Tests;

/// <summary>Content that comes in these pieces and does not say how long it is.</summary>
internal sealed class UnknownLength(params string[] pieces) : HttpContent
{
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        foreach (var piece in pieces)
            await stream.WriteAsync(Encoding.UTF8.GetBytes(piece));
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
