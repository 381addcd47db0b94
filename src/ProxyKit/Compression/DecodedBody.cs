using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Forwarding;

namespace ProxyKit.Compression;

/// <summary>
/// A response's body on its way through a decoder, if the upstream has compressed it with a coding that the client does not accept. Decoders are streams that are read, so a pump reads what was written.
/// </summary>
internal sealed partial class DecodedBody(HttpContext context, IHttpResponseBodyFeature inner, ResponseDecompression stage) : IBodyFilter
{
    private const int Piece = 16 * 1024;
    private const int FlushAt = 64 * 1024;

    private static readonly PipeOptions s_pipe = new(pauseWriterThreshold: 64 * 1024, resumeWriterThreshold: 32 * 1024, useSynchronizationContext: false);

    private Way _way;
    private string _coding = "";
    private Func<Stream, Stream>? _decode;
    private Pipe? _pipe;
    private Task _pump = Task.CompletedTask;
    private volatile Exception? _failure;
    private volatile bool _hasClientLeft;
    private volatile bool _isGivenUp;
    private long _bytesIn;

    private enum Way
    {
        Undecided,
        Through,
        Decoded,
    }

    public IHttpResponseBodyFeature Inner => inner;

    public bool IsRecoding
    {
        get
        {
            Decide();
            return _way == Way.Decoded || (inner is IBodyFilter { IsRecoding: true });
        }
    }

    /// <summary>The decoded bytes that have been handed on.</summary>
    public long BytesOut { get; private set; }

    /// <summary>
    /// Takes back a body that turned out to be undecodable before anything of it was handed on, so that there can be another answer. Nobody has it written to any more.
    /// </summary>
    public static bool TryTakeBack(HttpContext context)
    {
        if (context.Features.Get<IHttpResponseBodyFeature>() is not DecodedBody { _way: Way.Decoded, _failure: not null, BytesOut: 0 } body || context.Response.HasStarted)
            return false;
        body._way = Way.Through;
        return true;
    }

    /// <summary>Everything has been written; waits until all of it is decoded and handed on. An exception: it could not be.</summary>
    public async ValueTask FinishAsync()
    {
        Decide();
        if (_way != Way.Decoded || _pipe is null)
            return;
        await _pipe.Writer.CompleteAsync();
        await _pump;
        Count();
        if (_failure is { } failure)
            throw Failed(failure);
        if (context.Features.Get<IHttpResponseTrailersFeature>() is { Trailers: { IsReadOnly: false, Count: > 0 } trailers })
            ContentFields.DropTrailingDigests(trailers);
    }

    /// <summary>The body has broken off: what waits is not decoded. Then nobody writes any more.</summary>
    public async ValueTask AbandonAsync()
    {
        if (_pipe is null)
            return;
        _isGivenUp = true;
        inner.Writer.CancelPendingFlush();
        await _pipe.Writer.CompleteAsync(new IOException("The response broke off."));
        await _pump;
        Count();
    }

    private void Count()
    {
        if (_bytesIn > 0)
            stage.Metrics.Decompressed(context.Features.Get<ProxyContext>()?.Route.RouteId ?? "", _coding, _bytesIn, BytesOut);
        _bytesIn = 0;
    }

    private void Decide()
    {
        if (_way != Way.Undecided)
            return;
        _way = Way.Through;
        var response = context.Response;
        var headers = response.Headers;
        if (response.StatusCode is < 200 or 204 or 205 or 206 or 304 || headers.ContentEncoding is not [{ } coding] || ContentFields.IsNoTransform(headers.CacheControl)
            || stage.Find(coding) is not { } decode)
            return;
        ContentFields.Vary(headers);
        if (ResponseDecompression.IsAccepted(context.Request, coding))
            return;
        (_coding, _decode) = (coding, decode);
        ContentFields.DropDigests(headers);
        headers.ContentEncoding = default;
        if (EncodedTags.Encode(headers.ETag, ResponseDecompression.Identity) is { } tag)
            headers.ETag = tag;
        _way = Way.Decoded;
    }

    private PipeWriter Start()
    {
        if (_pipe is null)
        {
            _pipe = new(s_pipe);
            _pump = PumpAsync(_pipe.Reader);
        }
        return _pipe.Writer;
    }

    private async Task PumpAsync(PipeReader source)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(Piece);
        Exception? failure = null;
        try
        {
            await using var decoder = _decode!(source.AsStream(leaveOpen: true));
            var unflushed = 0;
            while (true)
            {
                var reading = decoder.ReadAsync(buffer, CancellationToken.None);
                if (!reading.IsCompleted && unflushed > 0)
                {
                    if (!await FlushAsync())
                        break;
                    unflushed = 0;
                }
                var read = await reading;
                if (read == 0)
                {
                    await DiscardAsync(source);
                    break;
                }
                stage.Check(Volatile.Read(ref _bytesIn), BytesOut + read);
                BytesOut += read;
                inner.Writer.Write(buffer.AsSpan(0, read));
                unflushed += read;
                if (unflushed >= FlushAt)
                {
                    if (!await FlushAsync())
                        break;
                    unflushed = 0;
                }
            }
        }
        catch (Exception e)
        {
            failure = e;
        }
        ArrayPool<byte>.Shared.Return(buffer);
        if (!_isGivenUp)
            _failure = failure;
        await source.CompleteAsync(failure);

        async ValueTask<bool> FlushAsync()
        {
            var result = await inner.Writer.FlushAsync(context.RequestAborted);
            _hasClientLeft = result.IsCompleted || result.IsCanceled;
            return !_hasClientLeft && !_isGivenUp;
        }
    }

    // The content's end may come before the end of what was sent. The rest is nobody's.
    private static async ValueTask DiscardAsync(PipeReader source)
    {
        ReadResult rest;
        do
        {
            rest = await source.ReadAsync();
            source.AdvanceTo(rest.Buffer.End);
        }
        while (!rest.IsCompleted);
    }

    private static ResponseBodyException Failed(Exception exception) =>
        exception as ResponseBodyException ?? new(ProxyError.ResponseBodyDestination, exception);
}
