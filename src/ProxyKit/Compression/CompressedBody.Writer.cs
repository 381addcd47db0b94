using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ProxyKit.Compression;

// What the forwarder, and whoever else writes to the response, sees.
internal sealed partial class CompressedBody : PipeWriter, IHttpResponseBodyFeature
{
    public Stream Stream => AsStream(leaveOpen: true);

    public PipeWriter Writer => this;

    public override bool CanGetUnflushedBytes => inner.Writer.CanGetUnflushedBytes;

    public override long UnflushedBytes => _scratch.Count + inner.Writer.UnflushedBytes + (_isHeld ? 1 : 0);

    public override Memory<byte> GetMemory(int sizeHint = 0) => IsTakenByEncoder() ? _scratch.GetMemory(sizeHint) : inner.Writer.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => IsTakenByEncoder() ? _scratch.GetMemory(sizeHint).Span : inner.Writer.GetSpan(sizeHint);

    public override void Advance(int bytes)
    {
        if (!_isInScratch)
        {
            inner.Writer.Advance(bytes);
            return;
        }
        _scratch.Advance(bytes);
        if (_scratch.Count >= Piece)
            Encode();
    }

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        if (!IsTakenByEncoder())
            return inner.Writer.WriteAsync(source, cancellationToken);
        Encode();
        if (!source.IsEmpty)
            Encode(source.Span);
        return FlushAsync(cancellationToken);
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (IsTakenByEncoder())
            FlushEncoder();
        return inner.Writer.FlushAsync(cancellationToken);
    }

    public override void CancelPendingFlush() => inner.Writer.CancelPendingFlush();

    public override void Complete(Exception? exception = null)
    {
        if (exception is null && IsTakenByEncoder())
        {
            Encode();
            Finish();
        }
        inner.Writer.Complete(exception);
    }

    public void DisableBuffering() => inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default)
    {
        _ = IsTakenByEncoder();
        return inner.StartAsync(cancellationToken);
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        IsTakenByEncoder() ? SendFileFallback.SendFileAsync(Stream, path, offset, count, cancellationToken) : inner.SendFileAsync(path, offset, count, cancellationToken);

    public async Task CompleteAsync()
    {
        await FinishAsync();
        await inner.CompleteAsync();
    }

    private bool IsTakenByEncoder()
    {
        if (_way == Way.Undecided)
            Decide();
        return _isInScratch = _way == Way.Encoded;
    }
}
