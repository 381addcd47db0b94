using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Buffering;
using ProxyKit.Compression;

namespace ProxyKit.Forwarding;

/// <summary>
/// Moves the response's body from the upstream to the client. A body of known length is stopped at its length (no read for the end), and after its first
/// piece goes straight into the client's pipe; one of unknown length, or that is compressed on its way, is flushed whenever the upstream pauses.
/// </summary>
internal static class ResponseBody
{
    private const int FirstRead = 4 * 1024;
    /// <summary>The most that is handed to the client's pipe before it is flushed.</summary>
    public const int LargestPiece = 128 * 1024;
    private const int CopyBuffer = 16 * 1024;

    public static ValueTask CopyAsync(UpstreamResponse source, HttpContext context, ProxyContext proxy, ExchangeClock clock) => source.ContentLength switch
    {
        0 => ValueTask.CompletedTask,
        { } known when context.Features.Get<IHttpResponseBodyFeature>() is not IBodyFilter { IsRecoding: true } => CopyKnownAsync(source, known, context, proxy, clock),
        _ => CopyPausingAsync(source, context, proxy, clock),
    };

    private static async ValueTask CopyKnownAsync(UpstreamResponse source, long remaining, HttpContext context, ProxyContext proxy, ExchangeClock clock)
    {
        var token = clock.Token;
        if (source.Buffered is { IsEmpty: false } buffered)
        {
            // Came with the header section; most bodies are no longer than that.
            proxy.ResponseBodyBytes += buffered.Length;
            await WriteAsync(context.Response.Body, buffered, token);
            source.Consume(buffered.Length);
            remaining -= buffered.Length;
        }
        else
        {
            // The response has not started: what fails now can still become a 502.
            var first = ArrayPool<byte>.Shared.Rent((int)Math.Min(remaining, FirstRead));
            var read = await ReadAsync(source, first.AsMemory(0, (int)Math.Min(remaining, first.Length)), proxy, token);
            remaining -= read;
            clock.Touch();
            await WriteAsync(context.Response.Body, first.AsMemory(0, read), token);
            // Only now: a read that was cancelled may still write to it.
            ArrayPool<byte>.Shared.Return(first);
        }
        if (remaining == 0)
            return;

        var writer = context.Response.BodyWriter;
        while (remaining > 0)
        {
            clock.Touch();
            var memory = writer.GetMemory((int)Math.Min(remaining, LargestPiece));
            if (memory.Length > remaining)
                memory = memory[..(int)remaining];
            var read = await ReadAsync(source, memory, proxy, token);
            remaining -= read;
            clock.Touch();
            writer.Advance(read);
            await FlushAsync(writer, proxy, clock, isLast: remaining == 0);
        }
    }

    private static async ValueTask CopyPausingAsync(UpstreamResponse source, HttpContext context, ProxyContext proxy, ExchangeClock clock)
    {
        var token = clock.Token;
        var buffer = ArrayPool<byte>.Shared.Rent(CopyBuffer);
        var writer = context.Response.BodyWriter;
        var length = source.ContentLength;
        long unflushed = 0;
        ValueTask<int> pending = default;
        var isPending = false;
        try
        {
            while (true)
            {
                pending = source.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, length ?? buffer.Length)), token);
                isPending = true;
                if (!pending.IsCompleted && (unflushed > 0 || (length is null && !context.Response.HasStarted)))
                {
                    // The upstream pauses: the client gets what there is, at first the header section.
                    if (!context.Response.HasStarted)
                        await context.Response.StartAsync(token);
                    await FlushAsync(writer, proxy, clock);
                    unflushed = 0;
                }
                int read;
                try
                {
                    isPending = false;
                    read = await pending;
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    throw new ResponseBodyException(ProxyError.ResponseBodyDestination, e);
                }
                clock.Touch();
                if (read == 0 && length > 0)
                    throw new ResponseBodyException(ProxyError.ResponseBodyDestination, new IOException("The response's body ended before its Content-Length."));
                if (read == 0)
                    return; // ResponseEnd flushes the rest
                proxy.ResponseBodyBytes += read;
                writer.Write(buffer.AsSpan(0, read));
                unflushed += read;
                if (length is not null && (length -= read) <= 0)
                    return; // the compression writes the end, and flushes
                if (unflushed >= LargestPiece)
                {
                    await FlushAsync(writer, proxy, clock);
                    clock.Touch();
                    unflushed = 0;
                }
            }
        }
        finally
        {
            // A buffer that a read may still write to is left to the collector.
            if (!isPending || pending.IsCompleted)
                ArrayPool<byte>.Shared.Return(buffer);
            else
                _ = pending.AsTask().ContinueWith(static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        }
    }

    private static async ValueTask<int> ReadAsync(UpstreamResponse source, Memory<byte> memory, ProxyContext proxy, CancellationToken token)
    {
        try
        {
            var read = await source.ReadAsync(memory, token);
            if (read == 0)
                throw new ResponseBodyException(ProxyError.ResponseBodyDestination, new IOException("The response's body ended before its Content-Length."));
            proxy.ResponseBodyBytes += read;
            return read;
        }
        catch (Exception e) when (e is not (OperationCanceledException or ResponseBodyException))
        {
            throw new ResponseBodyException(ProxyError.ResponseBodyDestination, e);
        }
    }

    private static async ValueTask WriteAsync(Stream target, ReadOnlyMemory<byte> memory, CancellationToken token)
    {
        try
        {
            await target.WriteAsync(memory, token);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new ResponseBodyException(ProxyError.ResponseBodyClient, e);
        }
    }

    private static async ValueTask FlushAsync(PipeWriter writer, ProxyContext proxy, ExchangeClock clock, bool isLast = false)
    {
        var token = clock.Token;
        try
        {
            var flush = writer.FlushAsync(token);
            var result = flush.IsCompleted ? await flush
                : ResponseBuffer.Behind(writer) is { IsBuffered: true } ? await SuspendAsync(flush, clock)
                : await proxy.WaitAsync(flush);
            if (result.IsCanceled)
                throw new OperationCanceledException(token);
            // A client that has everything has not left early, though its connection is closed.
            if (result.IsCompleted && !isLast)
                throw new ResponseBodyException(ProxyError.ClientAborted, new IOException("The client's connection is closed."));
        }
        catch (Exception e) when (e is not (OperationCanceledException or ResponseBodyException))
        {
            throw new ResponseBodyException(ProxyError.ResponseBodyClient, e);
        }
    }

    // A full buffer: how slow the client may be is the server's business, and no fault of the upstream's.
    private static async ValueTask<FlushResult> SuspendAsync(ValueTask<FlushResult> flush, ExchangeClock clock)
    {
        clock.Suspend();
        var result = await flush;
        clock.Resume();
        return result;
    }
}

/// <summary>A body that broke off, and on whose side.</summary>
internal sealed class ResponseBodyException(ProxyError error, Exception inner) : IOException(inner.Message, inner)
{
    public ProxyError Error { get; } = error;
}
