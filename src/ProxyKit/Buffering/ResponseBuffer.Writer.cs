using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace ProxyKit.Buffering;

// What the forwarder, and whoever else writes to the response, sees.
internal sealed partial class ResponseBuffer : PipeWriter, IHttpResponseBodyFeature
{
    public Stream Stream => AsStream(leaveOpen: true);

    public PipeWriter Writer => this;

    public override bool CanGetUnflushedBytes => _client.CanGetUnflushedBytes;

    public override long UnflushedBytes => _scratch.Count + (_way < Way.Drained ? _client.UnflushedBytes : 0);

    private bool IsThrough => _way < Way.Drained && _scratch.IsEmpty;

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        _isInScratch = !IsThrough;
        return _isInScratch ? _scratch.GetMemory(sizeHint) : _client.GetMemory(sizeHint);
    }

    public override Span<byte> GetSpan(int sizeHint = 0)
    {
        _isInScratch = !IsThrough;
        return _isInScratch ? _scratch.GetMemory(sizeHint).Span : _client.GetSpan(sizeHint);
    }

    public override void Advance(int bytes)
    {
        if (_isInScratch)
            _scratch.Advance(bytes);
        else
            _client.Advance(bytes);
    }

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        if (_way == Way.Undecided)
        {
            // Before the first bytes, so that they are written where they are to be sent from.
            var starting = StartResponseAsync(cancellationToken);
            if (!starting.IsCompletedSuccessfully)
                return WriteStartedAsync(starting, source, cancellationToken);
        }
        if (_way == Way.Unbuffered)
            return _client.WriteAsync(source, cancellationToken);
        this.Write(source.Span);
        return FlushAsync(cancellationToken);
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (_way == Way.Undecided)
        {
            var starting = StartResponseAsync(cancellationToken);
            if (!starting.IsCompletedSuccessfully)
                return WriteStartedAsync(starting, default, cancellationToken);
        }
        return _way switch
        {
            Way.Unbuffered => _client.FlushAsync(cancellationToken),
            Way.Through => FlushThrough(),
            _ when _scratch.IsEmpty || _way == Way.Ended => new(Result()),
            _ => EnqueueAsync(cancellationToken),
        };
    }

    public override void CancelPendingFlush()
    {
        if (_way < Way.Drained)
            _client.CancelPendingFlush();
    }

    public override void Complete(Exception? exception = null)
    {
        if (IsThrough)
            _client.Complete(exception); // otherwise the server does when the request ends
    }

    public void DisableBuffering() => inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default) => _way switch
    {
        Way.Undecided => StartResponseAsync(cancellationToken),
        Way.Unbuffered or Way.Through => inner.StartAsync(cancellationToken),
        _ => Task.CompletedTask,
    };

    public async Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        await StartAsync(cancellationToken);
        if (await FinishAsync())
            await inner.SendFileAsync(path, offset, count, cancellationToken);
    }

    public async Task CompleteAsync()
    {
        if (await FinishAsync())
            await inner.CompleteAsync();
    }

    private async ValueTask<FlushResult> WriteStartedAsync(Task starting, ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
    {
        await starting;
        return await WriteAsync(source, cancellationToken);
    }
}
