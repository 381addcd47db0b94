using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace ProxyKit.Testing;

/// <summary>An upstream in memory, which can be told to fail. What it is told holds from the next request on.</summary>
[SuppressMessage("Design", "CA1001", Justification = "The handler is the test's, which disposes it.")]
public sealed class TestDestination
{
    private readonly HttpMessageInvoker _inner;
    private readonly Lock _lock = new();
    private Fault? _fault;
    private int _times;
    private int _requests;

    internal TestDestination(HttpMessageHandler handler) => _inner = new(handler, disposeHandler: false);

    /// <summary>How many requests have reached it, failed ones included.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Refuses connections.</summary>
    public TestDestination Refuse() => Fail(new Fault(FaultKind.Refuse));

    /// <summary>Takes the request and never answers.</summary>
    public TestDestination Stall() => Fail(new Fault(FaultKind.Stall));

    /// <summary>Takes the request and drops the connection before it answers.</summary>
    public TestDestination Reset() => Fail(new Fault(FaultKind.Reset));

    /// <summary>Answers, and drops the connection after so many bytes of the body.</summary>
    /// <param name="bytes">0 or more.</param>
    public TestDestination ResetAfter(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        return Fail(new Fault(FaultKind.ResetAfter, bytes));
    }

    /// <summary>Answers, and sends no more after so many bytes of the body.</summary>
    /// <param name="bytes">0 or more.</param>
    public TestDestination StallAfter(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        return Fail(new Fault(FaultKind.StallAfter, bytes));
    }

    /// <summary>Answers with this status and no body.</summary>
    public TestDestination Respond(HttpStatusCode status) => Fail(new Fault(FaultKind.Respond, (long)status));

    /// <summary>Limits the fault to the next so many requests; then all is well again.</summary>
    /// <param name="times">1 or more.</param>
    public TestDestination Times(int times)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(times, 1);
        lock (_lock)
            _times = times;
        return this;
    }

    /// <summary>Ends the fault.</summary>
    public TestDestination Recover()
    {
        lock (_lock)
            _fault = null;
        return this;
    }

    internal async Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _requests);
        var fault = NextFault();
        switch (fault?.Kind)
        {
            case FaultKind.Refuse:
                throw new HttpRequestException(HttpRequestError.ConnectionError, "Connection refused (test).");
            case FaultKind.Stall:
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
                break;
            case FaultKind.Reset:
                throw new HttpRequestException(HttpRequestError.ResponseEnded, "Connection reset (test).");
            case FaultKind.Respond:
                return new((HttpStatusCode)fault.Number) { RequestMessage = request };
        }

        var response = await _inner.SendAsync(request, cancellationToken);
        if (fault is not null)
        {
            _ = response.Content.Headers.ContentLength; // computes the header: a fault does not change the framing
            var body = new FaultyStream(await response.Content.ReadAsStreamAsync(cancellationToken), fault.Number, stall: fault.Kind == FaultKind.StallAfter);
            var content = new StreamContent(body);
            foreach (var (name, values) in response.Content.Headers.NonValidated)
                content.Headers.TryAddWithoutValidation(name, values);
            response.Content = content;
        }
        return response;
    }

    /// <summary>What a TCP health check sees: only a destination that refuses connections fails it.</summary>
    internal void Connect()
    {
        lock (_lock)
        {
            if (_fault?.Kind != FaultKind.Refuse)
                return;
        }
        NextFault();
        throw new HttpRequestException(HttpRequestError.ConnectionError, "Connection refused (test).");
    }

    private TestDestination Fail(Fault fault)
    {
        lock (_lock)
            (_fault, _times) = (fault, int.MaxValue);
        return this;
    }

    private Fault? NextFault()
    {
        lock (_lock)
        {
            var fault = _fault;
            if (fault is not null && --_times == 0)
                _fault = null;
            return fault;
        }
    }

    private enum FaultKind
    {
        Refuse,
        Stall,
        Reset,
        ResetAfter,
        StallAfter,
        Respond,
    }

    private sealed record Fault(FaultKind Kind, long Number = 0);

    private sealed class FaultyStream(Stream inner, long remaining, bool stall) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (remaining == 0)
            {
                if (stall)
                    await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
                throw new HttpIOException(HttpRequestError.ResponseEnded, "Connection reset (test).");
            }
            var read = await inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, remaining)], cancellationToken);
            remaining -= read;
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
