using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Buffering;

namespace ProxyKit.Caching;

/// <summary>The response of a <see cref="DetachedContext"/>: what is written to it goes into a <see cref="CacheFlight"/>.</summary>
internal sealed class CacheResponseFeature(CacheFlight flight) : PipeWriter, IHttpResponseFeature, IHttpResponseBodyFeature, IHttpResponseTrailersFeature, IHttpRequestLifetimeFeature, IDisposable
{
    private readonly CancellationTokenSource _aborted = new();
    private List<(Func<object, Task> Callback, object State)>? _starting;
    private List<(Func<object, Task> Callback, object State)>? _completed;
    private Scratch _scratch;
    private Task? _start;

    /// <summary>Whether a request is the cache's own.</summary>
    public static bool IsResponseOf(HttpContext context) => context.Features.Get<IHttpResponseFeature>() is CacheResponseFeature;

    public int StatusCode { get; set; } = StatusCodes.Status200OK;

    public string? ReasonPhrase { get; set; }

    public IHeaderDictionary Headers { get; set; } = new HeaderDictionary();

    public IHeaderDictionary Trailers { get; set; } = new HeaderDictionary();

    public bool HasStarted => _start is not null;

    public CancellationToken RequestAborted { get => _aborted.Token; set => throw new NotSupportedException(); }

    /// <summary>Whether the response was ended by <see cref="Abort"/>: it is not whole.</summary>
    public bool IsAborted => _aborted.IsCancellationRequested;

    public Stream Body { get => Stream; set => throw new NotSupportedException("Replace IHttpResponseBodyFeature instead."); }

    public Stream Stream => AsStream(leaveOpen: true);

    public PipeWriter Writer => this;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _scratch.Count;

    public void OnStarting(Func<object, Task> callback, object state) => (_starting ??= []).Add((callback, state));

    public void OnCompleted(Func<object, Task> callback, object state) => (_completed ??= []).Add((callback, state));

    public void Abort() => _aborted.Cancel();

    public void Dispose() => _aborted.Dispose();

    public void DisableBuffering()
    {
    }

    public Task StartAsync(CancellationToken cancellationToken = default) => _start ??= StartOnceAsync();

    public override Memory<byte> GetMemory(int sizeHint = 0) => _scratch.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _scratch.GetMemory(sizeHint).Span;

    public override void Advance(int bytes) => _scratch.Advance(bytes);

    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        await StartAsync(cancellationToken);
        if (!_scratch.IsEmpty)
        {
            await flight.WriteAsync(_scratch.Written, RequestAborted);
            _scratch.Take(_scratch.Count);
        }
        return default;
    }

    public override async ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        await FlushAsync(cancellationToken);
        await flight.WriteAsync(source, RequestAborted);
        return default;
    }

    public override void CancelPendingFlush()
    {
    }

    public override void Complete(Exception? exception = null)
    {
    }

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        SendFileFallback.SendFileAsync(Stream, path, offset, count, cancellationToken);

    public async Task CompleteAsync() => await FlushAsync();

    /// <summary>The request has ended; what waits is written.</summary>
    public async ValueTask EndAsync()
    {
        await FlushAsync();
        await RunAsync(_completed);
    }

    /// <summary>Nothing more is written.</summary>
    public void Abandon() => _scratch.Abandon();

    private async Task StartOnceAsync()
    {
        await RunAsync(_starting);
        await flight.StartAsync();
    }

    // The last one first, as servers do.
    private static async Task RunAsync(List<(Func<object, Task> Callback, object State)>? callbacks)
    {
        for (var i = (callbacks?.Count ?? 0) - 1; i >= 0; i--)
            await callbacks![i].Callback(callbacks[i].State);
    }
}
