using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.ExceptionServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Compression;
using ProxyKit.Forwarding;

namespace ProxyKit.Buffering;

/// <summary>
/// A response's body, written at the upstream's speed. As long as the client keeps up, all goes straight through. When it does not (a flush of the real body does not
/// end at once), what comes next waits in a <see cref="SpillQueue"/>, and a drain hands it on; when that has caught up, all is as before.
/// </summary>
/// <remarks>The real body belongs to the writer or to the drain: only the writer starts a drain, and only the drain ends itself.</remarks>
internal sealed partial class ResponseBuffer(
    HttpContext context, ProxyContext proxy, IHttpResponseBodyFeature inner, ResponseBufferingConfig config, BufferingServices services) : IDisposable
{
    private readonly Lock _lock = new();
    private PipeWriter _client = inner.Writer;
    private volatile Way _way;
    private Scratch _scratch;
    private bool _isInScratch;
    private SpillQueue? _queue;
    private Task _drain = Task.CompletedTask;
    private volatile bool _isDropped;

    private enum Way
    {
        /// <summary>Nothing has been sent, and nothing decided.</summary>
        Undecided,

        /// <summary>This response is not buffered.</summary>
        Unbuffered,

        /// <summary>The client keeps up.</summary>
        Through,

        /// <summary>The drain writes to the client.</summary>
        Drained,

        /// <summary>Nobody does any more: the client has gone, or the drain has failed, or what waits was dropped.</summary>
        Ended,
    }

    /// <summary>Whether this response may wait here for its client.</summary>
    public bool IsBuffered => _way >= Way.Through;

    /// <summary>The buffer that a response's body goes to, directly or compressed; null if there is none.</summary>
    public static ResponseBuffer? Behind(object body)
    {
        while (body is IBodyFilter filter)
            body = filter.Inner;
        return body as ResponseBuffer;
    }

    /// <summary>Why the drain has failed; null also when the client has gone.</summary>
    public Exception? Error { get; private set; }

    /// <summary>Waits until the client has taken what waits for it.</summary>
    /// <returns>Whether it has.</returns>
    public ValueTask<bool> FinishAsync() => _scratch.IsEmpty && _drain.IsCompleted ? new(_way != Way.Ended) : new(AwaitDrainAsync());

    /// <summary>What waits is not handed on any more.</summary>
    public Task DropAsync()
    {
        _isDropped = true;
        _scratch.Abandon();
        if (_way == Way.Drained)
            _client.CancelPendingFlush();
        return _drain;
    }

    /// <summary>Frees memory and file. Nobody writes any more, and the drain has ended.</summary>
    public void Dispose()
    {
        _scratch.Abandon();
        _queue?.Dispose();
    }

    private async Task<bool> AwaitDrainAsync()
    {
        Exception? failure = null;
        try
        {
            if (!_scratch.IsEmpty)
                await FlushAsync();
        }
        catch (Exception e)
        {
            failure = e;
        }
        await _drain;
        if (failure is not null)
            (Error, _way) = (Error ?? failure, Way.Ended);
        return _way != Way.Ended;
    }

    private bool MayWait => proxy.AllowsResponseBuffering ?? !IsStream(context.Response.ContentType);

    /// <summary>Has the client be sent what waits for it at this rate; before anything is written. False when this response is not buffered.</summary>
    public bool TryPace(long bytesPerSecond, TimeProvider time)
    {
        if (!MayWait)
            return false;
        // The exchange may end long before: its idle limit does not count for the drain.
        _client = PipeWriter.Create(new PacedStream(inner.Stream, bytesPerSecond, time, clock: null), new(leaveOpen: true));
        return true;
    }

    private Task StartResponseAsync(CancellationToken cancellationToken)
    {
        _way = MayWait ? Way.Through : Way.Unbuffered;
        return inner.StartAsync(cancellationToken);
    }

    // Whose messages belong together in time, and who is better held back than to fall behind.
    private static bool IsStream(string? contentType) =>
        contentType is not null
        && (contentType.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) || contentType.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase));

    private ValueTask<FlushResult> FlushThrough()
    {
        if (!_scratch.IsEmpty)
        {
            _client.Write(_scratch.Written.Span);
            _scratch.Take(_scratch.Count);
        }
        // Not with the exchange's token: the flush may outlive the exchange.
        var flush = _client.FlushAsync(CancellationToken.None);
        if (flush.IsCompleted)
            return flush;
        _way = Way.Drained;
        _drain = DrainAsync(flush);
        return default;
    }

    private ValueTask<FlushResult> EnqueueAsync(CancellationToken cancellationToken)
    {
        _queue ??= new(config, services, services.Files.Create);
        var writing = _queue.WriteAsync(_scratch.Written);
        if (!writing.IsCompletedSuccessfully)
            return EnqueueAsync(writing, cancellationToken);
        var taken = writing.Result;
        if (taken < _scratch.Count)
            return EnqueueAsync(new(taken), cancellationToken);
        Enqueued(taken);
        return new(Result());
    }

    private async ValueTask<FlushResult> EnqueueAsync(ValueTask<int> writing, CancellationToken cancellationToken)
    {
        while (true)
        {
            var taken = await writing;
            if (taken > 0)
                Enqueued(taken);
            if (_scratch.IsEmpty || _way == Way.Ended)
                return Result();
            if (taken == 0)
                await _queue!.WaitForRoomAsync(cancellationToken);
            writing = _queue!.WriteAsync(_scratch.Written);
        }
    }

    private void Enqueued(int count)
    {
        _scratch.Take(count);
        lock (_lock)
        {
            if (_way != Way.Through)
                return;
            _way = Way.Drained; // the last drain had caught up in the meantime
        }
        _drain = DrainAsync(default);
    }

    private FlushResult Result()
    {
        if (_way != Way.Ended)
            return default;
        _scratch.Abandon();
        if (Error is not null)
            ExceptionDispatchInfo.Throw(Error);
        return new(isCanceled: false, isCompleted: true);
    }

    private async Task DrainAsync(ValueTask<FlushResult> flush)
    {
        try
        {
            var aborted = context.RequestAborted;
            using var registration = aborted.UnsafeRegister(static client => ((PipeWriter)client!).CancelPendingFlush(), _client);
            while (true)
            {
                var result = flush.IsCompleted ? await flush : await proxy.WaitAsync(flush);
                if (result.IsCompleted || _isDropped || aborted.IsCancellationRequested)
                    break;
                var moved = _queue is { } queue ? await queue.ReadAsync(_client) : 0;
                if (moved == 0 && TryLeave())
                    return;
                flush = moved == 0 ? default : _client.FlushAsync(CancellationToken.None);
            }
        }
        catch (Exception e)
        {
            Error = e;
        }
        _way = Way.Ended;
        _queue?.ReaderLeft();
    }

    private bool TryLeave()
    {
        lock (_lock)
        {
            if (_queue is { IsEmpty: false })
                return false;
            _way = Way.Through;
            return true;
        }
    }
}
