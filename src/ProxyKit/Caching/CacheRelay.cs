using System.IO.Pipelines;
using ProxyKit.Buffering;

namespace ProxyKit.Caching;

/// <summary>
/// A body that is not stored, on its way to one reader. A reader that is the only one has the writer wait for it. One of several does not: what it has not read yet waits in a queue, in memory and then in a
/// temporary file.
/// </summary>
internal sealed class CacheRelay : IDisposable
{
    private readonly Pipe _pipe = new();
    private readonly SpillQueue? _queue;
    private readonly Task _pump = Task.CompletedTask;
    private volatile TaskCompletionSource _moved = NewSignal();
    private volatile bool _isEnded;
    private Exception? _failure;
    private long _backlog;
    private int _users = 2; // of the queue: the writer and the pump

    /// <param name="buffering">Where to wait for the reader; null: the writer waits.</param>
    public CacheRelay(BufferingServices? buffering)
    {
        if (buffering is null)
            return;
        _queue = new(new(), buffering, buffering.Files.Create);
        _pump = PumpAsync(_queue);
    }

    public PipeReader Reader => _pipe.Reader;

    /// <summary>Whether somebody reads.</summary>
    public bool IsReading => !_isEnded && !_pump.IsCompleted;

    /// <summary>How many bytes wait.</summary>
    public long Backlog => Volatile.Read(ref _backlog);

    /// <summary>Hands bytes on. False when the reader has left, or was cut. <paramref name="makeRoom"/>: called when there is no room for what is not read yet.</summary>
    public async ValueTask<bool> WriteAsync(ReadOnlyMemory<byte> bytes, Func<Task> makeRoom, CancellationToken cancellationToken)
    {
        if (_queue is null)
            return !(await _pipe.Writer.WriteAsync(bytes, cancellationToken)).IsCompleted;
        while (!bytes.IsEmpty && IsReading)
        {
            var taken = await _queue.WriteAsync(bytes);
            if (taken == 0)
            {
                var room = _queue.WaitForRoomAsync(cancellationToken);
                await makeRoom();
                if (IsReading)
                    await room;
                continue;
            }
            bytes = bytes[taken..];
            Interlocked.Add(ref _backlog, taken);
            Signal();
        }
        return IsReading;
    }

    /// <summary>Ends without the rest.</summary>
    public async Task CutAsync()
    {
        End(new IOException("The client reads too slowly: there is no room for what it has not read."));
        await _pump;
    }

    /// <summary>No more comes.</summary>
    public void End(Exception? failure)
    {
        if (_queue is null)
        {
            _pipe.Writer.Complete(failure);
            return;
        }
        if (_isEnded)
            return;
        _failure = failure;
        _isEnded = true;
        Signal();
        if (failure is not null)
            _pipe.Writer.CancelPendingFlush();
        Dispose();
    }

    /// <summary>The writer, or the pump, lets go of the queue; the last one frees it.</summary>
    public void Dispose()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            _queue!.Dispose();
    }

    private async Task PumpAsync(SpillQueue queue)
    {
        Exception? failure = null;
        try
        {
            while (true)
            {
                // Before the look at the queue: what comes after it is heard of.
                var (moved, isEnded) = (_moved.Task, _isEnded);
                if (isEnded && _failure is not null)
                    break;
                if (await queue.ReadAsync(_pipe.Writer) is > 0 and var read)
                {
                    Interlocked.Add(ref _backlog, -read);
                    if (await _pipe.Writer.FlushAsync() is { IsCompleted: true } or { IsCanceled: true })
                        break;
                }
                else if (isEnded)
                {
                    break;
                }
                else
                {
                    await moved;
                }
            }
        }
        catch (Exception e)
        {
            failure = e;
        }
        await _pipe.Writer.CompleteAsync(failure ?? _failure);
        queue.ReaderLeft();
        Dispose();
    }

    private void Signal()
    {
        var moved = _moved;
        _moved = NewSignal();
        moved.TrySetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
