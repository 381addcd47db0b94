using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ProxyKit.Compression;

// What the forwarder, and whoever else writes to the response, sees.
internal sealed partial class DecodedBody : PipeWriter, IHttpResponseBodyFeature
{
    private PipeWriter Target
    {
        get
        {
            Decide();
            return _way == Way.Decoded ? Start() : inner.Writer;
        }
    }

    public Stream Stream => AsStream(leaveOpen: true);

    public PipeWriter Writer => this;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _way == Way.Decoded ? _pipe?.Writer.UnflushedBytes ?? 0 : inner.Writer.UnflushedBytes;

    public override Memory<byte> GetMemory(int sizeHint = 0) => Target.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => Target.GetSpan(sizeHint);

    public override void Advance(int bytes)
    {
        if (_way == Way.Decoded)
            Interlocked.Add(ref _bytesIn, bytes);
        Target.Advance(bytes);
    }

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        var target = Target;
        if (_way != Way.Decoded)
            return target.WriteAsync(source, cancellationToken);
        Interlocked.Add(ref _bytesIn, source.Length);
        return CheckedAsync(target.WriteAsync(source, cancellationToken));
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        var target = Target;
        return _way == Way.Decoded ? CheckedAsync(target.FlushAsync(cancellationToken)) : target.FlushAsync(cancellationToken);
    }

    public override void CancelPendingFlush() => inner.Writer.CancelPendingFlush();

    public override void Complete(Exception? exception = null)
    {
        if (_way != Way.Decoded)
            inner.Writer.Complete(exception);
        else
            _pipe?.Writer.Complete(exception);
    }

    public void DisableBuffering() => inner.DisableBuffering();

    // Not before something could be decoded: until then there can be another answer.
    public Task StartAsync(CancellationToken cancellationToken = default)
    {
        Decide();
        return _way == Way.Decoded ? Task.CompletedTask : inner.StartAsync(cancellationToken);
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        Decide();
        return _way == Way.Decoded ? SendFileFallback.SendFileAsync(Stream, path, offset, count, cancellationToken) : inner.SendFileAsync(path, offset, count, cancellationToken);
    }

    public async Task CompleteAsync()
    {
        await FinishAsync();
        await inner.CompleteAsync();
    }

    private async ValueTask<FlushResult> CheckedAsync(ValueTask<FlushResult> flush)
    {
        var result = await flush;
        if (!result.IsCompleted)
            return result;
        if (_failure is { } failure)
            throw Failed(failure);
        return new(result.IsCanceled, _hasClientLeft);
    }
}
