using System.Buffers;

namespace ProxyKit.Forwarding;

/// <summary>Moves bytes both ways between two upgraded connections until one side ends. When the host stops, WebSockets are closed with 1001 on both sides.</summary>
internal sealed class Tunnel(Stream client, Stream upstream, bool isWebSocket, ProxyContext proxy, ExchangeClock clock, TimeProvider time)
{
    private static readonly TimeSpan s_closeTimeout = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _end = CancellationTokenSource.CreateLinkedTokenSource(clock.Token);

    public async Task RunAsync(CancellationToken clientAborted, CancellationToken stopping)
    {
        var up = new Direction(this, client, upstream, maskClose: true, upwards: true);
        var down = new Direction(this, upstream, client, maskClose: false, upwards: false);
        // At once, not when a task gets to run: once the host stops no further frame passes.
        await using var closeUp = stopping.UnsafeRegister(static state => ((Direction)state!).RequestClose(), up);
        await using var closeDown = stopping.UnsafeRegister(static state => ((Direction)state!).RequestClose(), down);
        var sending = up.RunAsync();
        var receiving = down.RunAsync();
        var bothClosed = Task.WhenAll(up.Closed, down.Closed);
        var stop = isWebSocket ? StopAsync(up, down, bothClosed, stopping) : Task.Delay(Timeout.Infinite, _end.Token);
        var left = LeftAsync(clientAborted);

        var first = await Task.WhenAny(sending, receiving, stop, left);
        // A client may end its half of some other protocol and still want what comes; of a WebSocket nothing can follow.
        // (Kestrel takes the end of that half for the end of the connection.)
        if (first == sending && sending.IsCompletedSuccessfully && !isWebSocket && !clientAborted.IsCancellationRequested)
            first = await Task.WhenAny(receiving, stop, left);
        // The side that answered the close first must not take the other's answer from it.
        if (isWebSocket && stopping.IsCancellationRequested && (first.IsCompletedSuccessfully || up.HasClosed || down.HasClosed))
            await (first = stop);
        // The first failure is the cause; what it sets off in the other direction is not.
        var failure = first.IsFaulted || first.IsCanceled ? first : null;
        var cancelled = clock.Token.IsCancellationRequested; // nothing has moved for too long
        await _end.CancelAsync();
        await Task.WhenAll(sending, receiving, stop, left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
        up.Dispose();
        down.Dispose();
        if (up.HasClosed && down.HasClosed)
            return; // how the connections end after that is of no account
        if (cancelled)
            clock.Token.ThrowIfCancellationRequested();
        if (failure is not null && first != stop)
            await failure;
    }

    // What a client sent before it left is passed on, if the upstream takes it within a while.
    private async Task LeftAsync(CancellationToken clientAborted)
    {
        using (var wake = CancellationTokenSource.CreateLinkedTokenSource(clientAborted, _end.Token))
            await Task.Delay(Timeout.InfiniteTimeSpan, wake.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.Delay(s_closeTimeout, time, _end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task StopAsync(Direction up, Direction down, Task bothClosed, CancellationToken stopping)
    {
        using (var wake = CancellationTokenSource.CreateLinkedTokenSource(stopping, _end.Token))
            await Task.Delay(Timeout.InfiniteTimeSpan, wake.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_end.IsCancellationRequested)
            return;
        using var limit = new CancellationTokenSource(s_closeTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, _end.Token);
        await Task.WhenAll(down.CloseAsync(either.Token), up.CloseAsync(either.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await bothClosed.WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private sealed class Direction(Tunnel tunnel, Stream source, Stream sink, bool maskClose, bool upwards) : IDisposable
    {
        private const int SmallBuffer = 4 * 1024, LargeBuffer = 64 * 1024;

        private readonly SemaphoreSlim _writing = new(1, 1);
        private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private WebSocketFrames _frames;
        private volatile bool _closeRequested;
        private bool _closeSent;

        /// <summary>Done when the source has sent its close frame, or ended.</summary>
        public Task Closed => _closed.Task;

        /// <summary>Whether the source has sent its close frame.</summary>
        public bool HasClosed => _frames.HasClosed;

        public void Dispose() => _writing.Dispose();

        public async Task RunAsync()
        {
            var token = tunnel._end.Token;
            var woken = false;
            // Thousands of connections idle on small buffers; one that is busy gets a large one.
            var buffer = ArrayPool<byte>.Shared.Rent(SmallBuffer);
            try
            {
                while (true)
                {
                    int read;
                    try
                    {
                        read = await source.ReadAsync(buffer, token);
                    }
                    catch (OperationCanceledException) when (upwards && tunnel.IsWebSocket && !token.IsCancellationRequested && !woken)
                    {
                        woken = true; // Kestrel cancels pending reads when it stops, but the connection is still good for the close
                        continue;
                    }
                    if (read == 0)
                        return;
                    tunnel.Count(upwards, read);
                    await ForwardAsync(buffer.AsMemory(0, read), token);
                    if (read == buffer.Length && buffer.Length < LargeBuffer)
                    {
                        ArrayPool<byte>.Shared.Return(buffer);
                        buffer = ArrayPool<byte>.Shared.Rent(LargeBuffer);
                    }
                }
            }
            finally
            {
                _closed.TrySetResult();
                // Not returned: a cancelled read may still write to it.
            }
        }

        /// <summary>After the frame that is under way comes the close frame.</summary>
        public void RequestClose() => _closeRequested = true;

        /// <summary>Sends the close frame if no frame is under way.</summary>
        public async Task CloseAsync(CancellationToken token)
        {
            await _writing.WaitAsync(token);
            try
            {
                if (_frames.AtBoundary)
                    await SendCloseAsync(token);
            }
            finally
            {
                _writing.Release();
            }
        }

        private async ValueTask ForwardAsync(ReadOnlyMemory<byte> data, CancellationToken token)
        {
            if (!tunnel.IsWebSocket)
            {
                await sink.WriteAsync(data, token);
                await sink.FlushAsync(token);
                return;
            }
            await _writing.WaitAsync(token);
            try
            {
                var frame = _frames.Scan(data.Span, stopAtBoundary: _closeRequested);
                if (!_closeSent)
                {
                    await sink.WriteAsync(data[..frame], token);
                    await sink.FlushAsync(token);
                    if (_closeRequested && _frames.AtBoundary)
                        await SendCloseAsync(token);
                }
                while (frame < data.Length)
                    frame += _frames.Scan(data.Span[frame..], stopAtBoundary: false);
                if (_frames.HasClosed)
                    _closed.TrySetResult();
            }
            finally
            {
                _writing.Release();
            }
        }

        private async ValueTask SendCloseAsync(CancellationToken token)
        {
            if (_closeSent)
                return;
            _closeSent = true;
            if (!_frames.HasClosed)
            {
                await sink.WriteAsync(WebSocketFrames.GoingAway(maskClose), token);
                await sink.FlushAsync(token);
            }
        }
    }

    private bool IsWebSocket => isWebSocket;

    private void Count(bool upwards, int bytes)
    {
        clock.Touch();
        if (upwards)
            proxy.RequestBodyBytes += bytes;
        else
            proxy.ResponseBodyBytes += bytes;
    }
}
