using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Buffering;
using ProxyKit.Forwarding;

namespace ProxyKit.Compression;

/// <summary>
/// A response's body on its way through an encoder, if it is to be compressed: that is decided with the first byte, when its header section is there. What is flushed comes out compressed and flushed.
/// </summary>
internal sealed partial class CompressedBody(HttpContext context, IHttpResponseBodyFeature inner, ResponseCompression stage, IContentCoding? coding, Conditions conditions) : IBodyFilter, IDisposable
{
    // What has come in is compressed in pieces of this size, flushed or not.
    private const int Piece = 32 * 1024;

    private readonly CountingWriter _output = new(inner.Writer);
    private Way _way;
    private Scratch _scratch;
    private bool _isInScratch;
    private IContentEncoder? _encoder;
    private long? _length;
    private bool _isHeld;
    private bool _isFinished;

    private enum Way
    {
        /// <summary>Nothing has been written, and nothing decided.</summary>
        Undecided,

        /// <summary>This response remains as it is.</summary>
        Through,

        /// <summary>It is compressed.</summary>
        Encoded,
    }

    /// <summary>Whether the response was compressed.</summary>
    public bool IsEncoded => _way == Way.Encoded;

    /// <summary>The content's bytes so far.</summary>
    public long BytesIn { get; private set; }

    /// <summary>The compressed bytes so far.</summary>
    public long BytesOut => _output.Count;

    public IHttpResponseBodyFeature Inner => inner;

    public bool IsRecoding => IsTakenByEncoder();

    /// <summary>Everything has been written: so is the end.</summary>
    public async ValueTask FinishAsync()
    {
        if (_way == Way.Undecided)
            Decide(isEmpty: !HttpMethods.IsHead(context.Request.Method));
        if (_way != Way.Encoded || _isFinished)
            return;
        try
        {
            Encode();
            if (_length is { } length && BytesIn < length)
                throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"The response's body ended after {BytesIn} of {length} bytes."));
            Finish();
            await inner.Writer.FlushAsync(context.RequestAborted);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            Forwarder.Abort(context, ProxyError.ClientAborted);
        }
        catch
        {
            Forwarder.Abort(context, ProxyError.ResponseBodyClient);
            throw;
        }
    }

    public void Dispose()
    {
        _scratch.Abandon();
        _encoder?.Dispose();
        _encoder = null;
    }

    private void Decide(bool isEmpty = false)
    {
        _way = Way.Through;
        var headers = context.Response.Headers;
        var status = context.Response.StatusCode;
        if (status == StatusCodes.Status304NotModified)
        {
            AnswerNotModified(headers);
            return;
        }
        if (!stage.IsUsedFor(context.Request) || !stage.DependsOnRequest(status, headers))
            return;
        ContentFields.Vary(headers);
        if (coding is null || isEmpty || status == StatusCodes.Status206PartialContent)
            return;

        _length = headers.ContentLength;
        ContentFields.DropDigests(headers);
        headers.ContentEncoding = coding.Name;
        if (EncodedTags.Encode(headers.ETag, coding.Name) is { } tag)
            headers.ETag = tag;
        if (HttpMethods.IsHead(context.Request.Method))
            return;
        _way = Way.Encoded;
        _encoder = stage.CreateEncoder(coding);
    }

    // RFC 9110 §15.4.5: with the fields that a 200 would have had.
    private void AnswerNotModified(IHeaderDictionary headers)
    {
        var tag = conditions.Find(headers.ETag, coding);
        if (tag is not null)
            headers.ETag = tag;
        if (tag is not null || (stage.IsUsedFor(context.Request) && headers.ContentType.Count > 0 && stage.DependsOnRequest(StatusCodes.Status200OK, headers)))
            ContentFields.Vary(headers);
    }

    private void Encode()
    {
        if (_scratch.IsEmpty)
            return;
        Encode(_scratch.Written.Span);
        _scratch.Take(_scratch.Count);
    }

    private void Encode(ReadOnlySpan<byte> content)
    {
        if (_isFinished)
            throw new InvalidOperationException("The response's body is longer than its Content-Length.");
        BytesIn += content.Length;
        _encoder!.Write(content, _output);
        _isHeld = true;
    }

    /// <summary>What has been taken is made readable for the client; if that is all, with the end at once.</summary>
    private void FlushEncoder()
    {
        Encode();
        if (BytesIn == _length)
            Finish();
        else if (_isHeld)
            _encoder!.Flush(_output);
        _isHeld = false;
    }

    private void Finish()
    {
        if (_isFinished)
            return;
        _isFinished = true;
        _encoder!.Finish(_output);
        // Short ones are all here before the first byte is sent.
        if (!context.Response.HasStarted)
            context.Response.ContentLength = BytesOut;
        if (context.Features.Get<IHttpResponseTrailersFeature>() is { Trailers: { IsReadOnly: false, Count: > 0 } trailers })
            ContentFields.DropTrailingDigests(trailers);
    }
}
