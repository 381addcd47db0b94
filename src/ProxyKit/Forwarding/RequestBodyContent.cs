using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Forwarding;

/// <summary>
/// The client's body as the upstream's: read from the pipe as it comes, flushed whenever the client pauses, never read before a connection stands
/// (so that the client of <c>Expect: 100-continue</c> waits for the upstream's word).
/// </summary>
internal sealed class RequestBodyContent(HttpContext context, ProxyContext proxy, ExchangeClock clock, long? length, bool flushEachWrite) : HttpContent
{
    private Task? _copy;

    /// <summary>The copying, once it has begun.</summary>
    public Task? Completion => _copy;

    /// <summary>The failure to read from the client, which HttpClient reports as its own.</summary>
    public Exception? ClientError { get; private set; }

    /// <summary>The failure to write to the upstream.</summary>
    public Exception? DestinationError { get; private set; }

    /// <summary>Whether any of the body has been taken off the client: from then on it cannot be sent again.</summary>
    public bool Started => _copy is not null;

    protected override bool TryComputeLength(out long value)
    {
        value = length ?? 0;
        return length is not null;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? transportContext) =>
        SerializeToStreamAsync(stream, transportContext, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? transportContext, CancellationToken cancellationToken)
    {
        if (_copy is not null)
            throw new InvalidOperationException("The request body has been sent already.");
        return _copy = CopyAsync(stream, cancellationToken);
    }

    private async Task CopyAsync(Stream stream, CancellationToken cancellationToken)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            ReadResult result;
            try
            {
                if (!reader.TryRead(out result))
                {
                    // The upstream sees the header section, and what there is of the body, before we wait for more.
                    await FlushAsync(stream, cancellationToken);
                    result = await reader.ReadAsync(cancellationToken);
                }
            }
            catch (Exception e) when (DestinationError is null)
            {
                ClientError = e;
                throw;
            }

            try
            {
                if (result.IsCanceled)
                    throw new OperationCanceledException();
                clock.Touch();
                foreach (var segment in result.Buffer)
                {
                    await stream.WriteAsync(segment, cancellationToken);
                    proxy.RequestBodyBytes += segment.Length;
                    clock.Touch();
                }
                if (flushEachWrite && !result.Buffer.IsEmpty)
                    await stream.FlushAsync(cancellationToken);
            }
            catch (Exception e)
            {
                DestinationError = e;
                throw;
            }
            finally
            {
                Advance(reader, result.Buffer.End);
            }
            if (result.IsCompleted)
                return;
        }
    }

    private void Advance(PipeReader reader, SequencePosition end)
    {
        try
        {
            reader.AdvanceTo(end);
        }
        catch (Exception e) when (DestinationError is null)
        {
            ClientError = e; // over HTTP/2, Kestrel counts here whether the body is larger than allowed
            throw;
        }
    }

    private async ValueTask FlushAsync(Stream stream, CancellationToken cancellationToken)
    {
        try
        {
            await stream.FlushAsync(cancellationToken);
        }
        catch (Exception e)
        {
            DestinationError = e;
            throw;
        }
    }
}
