using System.Net;

namespace ProxyKit.Tests.LoadBalancing;

/// <summary>An upstream that answers when the test lets it, and counts how many requests it has at once.</summary>
internal sealed class SlowUpstream : HttpMessageHandler
{
    private readonly Lock _lock = new();
    private TaskCompletionSource _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _now, _most, _reached;

    public int MostAtOnce => _most;

    /// <summary>Answers what is there and what comes.</summary>
    public void Open() => _gate.TrySetResult();

    /// <summary>Fails what is there and what comes.</summary>
    public void Fail() => _gate.TrySetException(new HttpRequestException(HttpRequestError.ResponseEnded, "failed (test)"));

    /// <summary>From now on requests wait.</summary>
    public void Close()
    {
        _gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _reached = 0;
    }

    /// <summary>So many requests have come since it was closed.</summary>
    public async Task ReachedAsync(int count = 1)
    {
        while (Volatile.Read(ref _reached) < count)
            await Task.Yield();
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Task gate;
        lock (_lock)
        {
            _most = Math.Max(_most, ++_now);
            gate = _gate.Task;
            _reached++;
        }
        try
        {
            await gate.WaitAsync(cancellationToken);
            return new(HttpStatusCode.OK) { RequestMessage = request, Content = new ByteArrayContent([]) };
        }
        finally
        {
            lock (_lock)
                _now--;
        }
    }
}
