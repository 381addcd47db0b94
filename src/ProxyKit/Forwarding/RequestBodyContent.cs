using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Http;
using ProxyKit.Buffering;

namespace ProxyKit.Forwarding;

/// <summary>
/// The client's body as the upstream's: read from the pipe as it comes, flushed whenever the client pauses, never read before a connection stands
/// (so that the client of <c>Expect: 100-continue</c> waits for the upstream's word). Where the body was buffered it is sent from there, as often as wanted.
/// </summary>
internal sealed class RequestBodyContent(HttpContext context, ProxyContext proxy, ExchangeClock clock, long? length, ReplayBuffer? replay, bool flushEachWrite) : HttpContent
{
    private const int CopyBuffer = 64 * 1024;

    /// <summary>What is kept for a transport that sends an unprocessed request again, where no retries keep more.</summary>
    private const int TransportReplay = 64 * 1024;

    private readonly BufferedRequestBody? _buffered = proxy.BufferedBody;
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ReplayBuffer? _replay = replay;
    private Task? _copy;
    private bool _awaitsClient;

    /// <summary>The copying, once it has begun.</summary>
    public Task? Completion => _copy;

    /// <summary>The failure to read from the client, which HttpClient reports as its own.</summary>
    public Exception? ClientError { get; private set; }

    /// <summary>The failure to write to the upstream.</summary>
    public Exception? DestinationError { get; private set; }

    /// <summary>Whether it was buffered, and can be sent again and again; not if a delegate has put another body in its place.</summary>
    public bool IsBuffered => _buffered is not null && ReferenceEquals(context.Request.Body, _buffered.Stream);

    /// <summary>Whether any of the body has been taken off the client: from then on it cannot be sent again, unless it was buffered.</summary>
    public bool Started => _copy is not null;

    /// <summary>Whether more of it is awaited from the client: if time is up then, the upstream is not to blame.</summary>
    public bool AwaitsClient => Volatile.Read(ref _awaitsClient);

    /// <summary>The announced length; null if the body is chunked.</summary>
    public long? Length => IsBuffered ? _buffered!.Length : length;

    protected override bool TryComputeLength(out long value)
    {
        var known = Length;
        value = known ?? 0;
        return known is not null;
    }

    /// <summary>Puts the body into the send buffer if all of it is there already and small: then one write sends head and body.</summary>
    public bool TrySendBuffered(Http1.Http1Connection connection)
    {
        if (IsBuffered)
            return TrySendSmall(connection, _buffered!);
        var reader = context.Request.BodyReader;
        ReadResult result;
        try
        {
            if (length is not (> 0 and <= 16 * 1024) || _replay is { Recorded.IsEmpty: false } || !reader.TryRead(out result))
                return false;
        }
        catch (Exception e)
        {
            ClientError = e;
            throw;
        }
        if (result.Buffer.Length != length)
        {
            reader.AdvanceTo(result.Buffer.Start);
            return false;
        }
        _copy = Task.CompletedTask;
        result.Buffer.CopyTo(connection.SendBuffer((int)length.Value));
        connection.Advance((int)length.Value);
        proxy.RequestBodyBytes += length.Value;
        _replay?.Record(result.Buffer, isLast: true);
        reader.AdvanceTo(result.Buffer.End);
        return true;
    }

    private bool TrySendSmall(Http1.Http1Connection connection, BufferedRequestBody body)
    {
        if (body is not { IsInMemory: true, Length: > 0 and <= 16 * 1024 })
            return false;
        _copy = Task.CompletedTask;
        connection.Advance(body.ReadMemory(0, connection.SendBuffer((int)body.Length)[..(int)body.Length]));
        proxy.RequestBodyBytes = body.Length;
        return true;
    }

    /// <summary>Sends the body over an HTTP/1.1 connection.</summary>
    public Task SendAsync(Http1.Http1BodyStream stream, CancellationToken cancellationToken)
    {
        return _copy = SendAsync();

        async Task SendAsync()
        {
            await CopyAsync(stream, cancellationToken);
            try
            {
                await stream.CompleteAsync();
            }
            catch (Exception e)
            {
                DestinationError = e;
                throw;
            }
        }
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? transportContext) =>
        SerializeToStreamAsync(stream, transportContext, CancellationToken.None);

    /// <remarks>
    /// A second call means that the upstream has not processed the request (REFUSED_STREAM, GOAWAY; RFC 9113 §8.7) and HttpClient sends it again, or that nothing has reached it.
    /// </remarks>
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? transportContext, CancellationToken cancellationToken)
    {
        if (_copy is { } previous)
            _copy = CopyAgainAsync(previous, stream, cancellationToken);
        else
        {
            if (!IsBuffered)
                _replay ??= new(TransportReplay);
            _copy = CopyAsync(stream, cancellationToken);
        }
        return ReportAsync(_copy, cancellationToken);
    }

    /// <summary>The attempt has ended: the transport may learn of a copy that it has cancelled itself.</summary>
    public void Release() => _released.TrySetResult();

    // HttpClient sends an unprocessed request again only if it learns of the reset before the end of the copying that the reset has cancelled.
    private async Task ReportAsync(Task copy, CancellationToken cancellationToken)
    {
        await copy.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!copy.IsCompletedSuccessfully && cancellationToken.IsCancellationRequested && !clock.Token.IsCancellationRequested && CanCopyAgain)
            await _released.Task;
        await copy;
    }

    private bool CanCopyAgain => ClientError is null && (IsBuffered || _replay is { IsIntact: true });

    private async Task CopyAgainAsync(Task previous, Stream stream, CancellationToken cancellationToken)
    {
        await previous.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!CanCopyAgain)
            throw new UpstreamException(ProxyError.Request, FailureClass.NothingSent, "The destination has not processed the request, and its body is too long to be sent again.");
        DestinationError = null;
        proxy.RequestBodyBytes = 0;
        await CopyAsync(stream, cancellationToken);
    }

    private Task CopyAsync(Stream stream, CancellationToken cancellationToken) =>
        IsBuffered ? CopyBufferedAsync(_buffered!, stream, cancellationToken) : CopyFromClientAsync(stream, cancellationToken);

    private async Task CopyBufferedAsync(BufferedRequestBody body, Stream stream, CancellationToken cancellationToken)
    {
        DestinationError = null; // that of an earlier time
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(Math.Max(body.Length, 1), CopyBuffer));
        try
        {
            for (long sent = 0; sent < body.Length;)
            {
                int read;
                try
                {
                    read = await body.ReadAsync(sent, buffer, cancellationToken);
                }
                catch (BufferException e)
                {
                    ClientError = e;
                    throw;
                }
                try
                {
                    await stream.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                }
                catch (Exception e)
                {
                    DestinationError = e;
                    throw;
                }
                sent += read;
                proxy.RequestBodyBytes = sent; // not a sum: with hedging there are several
                clock.Touch();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task CopyFromClientAsync(Stream stream, CancellationToken cancellationToken)
    {
        var reader = context.Request.BodyReader;
        var remaining = length;
        if (_replay is { Recorded: { IsEmpty: false } recorded })
        {
            remaining -= recorded.Length;
            await ReplayAsync(stream, recorded, cancellationToken);
        }
        if (_replay is { IsComplete: true })
            return;
        while (true)
        {
            ReadResult result;
            try
            {
                if (!reader.TryRead(out result))
                {
                    // The upstream sees the header section, and what there is of the body, before we wait for more.
                    await FlushAsync(stream, cancellationToken);
                    result = await ReadAsync(reader, cancellationToken);
                }
                if (result.IsCanceled)
                {
                    reader.AdvanceTo(result.Buffer.Start);
                    if (!cancellationToken.IsCancellationRequested)
                        continue; // meant for an earlier read
                    throw DestinationError = new OperationCanceledException(cancellationToken); // the client is still there
                }
                // A middleware may have put another body in the client's place. What is too long would be the upstream's next request.
                remaining -= result.Buffer.Length;
                if (remaining < 0 || (remaining > 0 && result.IsCompleted))
                {
                    reader.AdvanceTo(result.Buffer.End);
                    throw new BadHttpRequestException("The request's body is not as long as its Content-Length says.");
                }
                _replay?.Record(result.Buffer, result.IsCompleted);
            }
            catch (Exception e) when (DestinationError is null)
            {
                ClientError = e;
                throw;
            }

            try
            {
                clock.Touch();
                foreach (var segment in result.Buffer)
                {
                    await stream.WriteAsync(segment, cancellationToken);
                    proxy.RequestBodyBytes += segment.Length;
                    clock.Touch();
                }
                if (flushEachWrite && !result.Buffer.IsEmpty)
                    await stream.FlushAsync(cancellationToken);
            }
            catch (Exception e)
            {
                DestinationError = e;
                throw;
            }
            finally
            {
                Advance(reader, result.Buffer.End);
            }
            if (result.IsCompleted)
                return;
        }
    }

    // A read that its token cancels would leave the server's reader in use: what remains of the body could not be drained, and the connection would be lost.
    private async ValueTask<ReadResult> ReadAsync(PipeReader reader, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _awaitsClient, true);
        await using var cancelling = cancellationToken.UnsafeRegister(static reader => ((PipeReader)reader!).CancelPendingRead(), reader);
        var result = await reader.ReadAsync(CancellationToken.None);
        Volatile.Write(ref _awaitsClient, result.IsCanceled);
        return result;
    }

    private async ValueTask ReplayAsync(Stream stream, ReadOnlyMemory<byte> recorded, CancellationToken cancellationToken)
    {
        try
        {
            await stream.WriteAsync(recorded, cancellationToken);
            proxy.RequestBodyBytes += recorded.Length;
        }
        catch (Exception e)
        {
            DestinationError = e;
            throw;
        }
    }

    private void Advance(PipeReader reader, SequencePosition end)
    {
        try
        {
            reader.AdvanceTo(end);
        }
        catch (Exception e) when (DestinationError is null)
        {
            ClientError = e; // over HTTP/2, Kestrel counts here whether the body is larger than allowed
            throw;
        }
    }

    private async ValueTask FlushAsync(Stream stream, CancellationToken cancellationToken)
    {
        try
        {
            await stream.FlushAsync(cancellationToken);
        }
        catch (Exception e)
        {
            DestinationError = e;
            throw;
        }
    }
}
