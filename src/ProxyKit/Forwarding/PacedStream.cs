using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Buffering;

namespace ProxyKit.Forwarding;

/// <summary>Writes no faster than at a rate, on average since the first byte, in pieces of a quarter of a second.</summary>
/// <param name="inner">Where it writes.</param>
/// <param name="rate">Bytes per second.</param>
/// <param name="time">The time.</param>
/// <param name="clock">Whose idle limit is not to count the waits; null if there is none.</param>
internal sealed class PacedStream(Stream inner, long rate, TimeProvider time, ExchangeClock? clock) : Stream
{
    private readonly int _piece = (int)Math.Clamp(rate / 4, 1, 64 * 1024);
    private readonly long _start = time.GetTimestamp();
    private long _sent;

    /// <summary>Runs what writes a response's body, at the rate that the upstream has asked for.</summary>
    public static async Task RunAsync(HttpContext context, long rate, TimeProvider time, ExchangeClock? clock, Func<Task> write)
    {
        var body = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        // Where bodies wait for slow clients, this one waits too, and the upstream is free.
        if (ResponseBuffer.Behind(body) is { } buffer && buffer.TryPace(rate, time))
        {
            await write();
            await body.Writer.FlushAsync(clock?.Token ?? context.RequestAborted);
            return;
        }
        var paced = new StreamResponseBodyFeature(new PacedStream(body.Stream, rate, time, clock), body);
        context.Features.Set<IHttpResponseBodyFeature>(paced);
        try
        {
            await write();
            await paced.Writer.FlushAsync(clock?.Token ?? context.RequestAborted);
        }
        finally
        {
            context.Features.Set(body);
        }
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            var wait = TimeSpan.FromSeconds((double)_sent / rate) - time.GetElapsedTime(_start);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, time, cancellationToken);
            clock?.Touch();
            var piece = buffer[..Math.Min(buffer.Length, _piece)];
            await inner.WriteAsync(piece, cancellationToken);
            clock?.Touch();
            _sent += piece.Length;
            buffer = buffer[piece.Length..];
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    [SuppressMessage("Usage", "VSTHRD002", Justification = "Who writes synchronously waits.")]
    public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
