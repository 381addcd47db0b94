using System.Buffers.Binary;
using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;
using ProxyKit.LoadBalancing;
using ProxyKit.Pipeline;

namespace ProxyKit.Mirroring;

/// <summary>Sends copies to the shadow cluster, so many at once and no more, and reads its answers away.</summary>
internal sealed class MirrorSender(RouteConfig route, MirrorConfig config, Cluster shadow, ForwarderServices services)
{
    private readonly MirrorLog _log = new(services.Loggers);
    private readonly TimeProvider _time = services.Clocks.Time;
    private int _active;

    public bool IsFull => Volatile.Read(ref _active) >= config.MaxConcurrentRequests;

    public void Drop(MirrorDrop reason)
    {
        _log.Dropped(route.RouteId, shadow.ClusterId, reason);
        services.MirrorMetrics.Dropped(route.RouteId, shadow.ClusterId, reason);
    }

    public void NotPrepared(Exception exception) => _log.NotPrepared(route.RouteId, shadow.ClusterId, exception);

    /// <summary>Sends a copy. When this returns, the HttpContext is no longer needed, and nothing has been waited for.</summary>
    public void Send(HttpContext context, PreparedRequest copy, ReadOnlyMemory<byte>? body)
    {
        if (copy.IsGrpc && !IsOneMessage(body.GetValueOrDefault().Span))
        {
            Drop(MirrorDrop.Stream);
            return;
        }
        if (Interlocked.Increment(ref _active) > config.MaxConcurrentRequests)
        {
            Interlocked.Decrement(ref _active);
            Drop(MirrorDrop.TooMany);
            return;
        }
        var sent = false;
        try
        {
            var proxy = new ProxyContext(route, shadow, _time.GetTimestamp());
            if (ConcurrencySlots.TryAcquire(context, proxy) is { } destination)
            {
                // Not within the client's ExecutionContext: its HttpContext is gone before the shadow has answered.
                sent = ThreadPool.UnsafeQueueUserWorkItem(
                    static job => _ = job.Sender.RunAsync(job.copy, job.body, job.proxy, job.destination), (Sender: this, copy, body, proxy, destination), preferLocal: false);
            }
            else
                Drop(MirrorDrop.NoAvailableDestinations);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _log.NotPrepared(route.RouteId, shadow.ClusterId, e); // a load balancing policy of the user's
        }
        finally
        {
            if (!sent)
                Interlocked.Decrement(ref _active);
        }
    }

    // A flag, a length of four bytes, and the message. What has more than one, or an open end, is a stream whose pace a copy could not keep.
    private static bool IsOneMessage(ReadOnlySpan<byte> body) => body.Length >= 5 && BinaryPrimitives.ReadUInt32BigEndian(body[1..]) == body.Length - 5;

    private async Task RunAsync(PreparedRequest copy, ReadOnlyMemory<byte>? body, ProxyContext proxy, Destination destination)
    {
        var status = 0;
        var failure = new Failure(ProxyError.None, FailureClass.None, 0);
        using var limit = new CancellationTokenSource(config.Timeout, _time);
        using var stopping = services.Stopping.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), limit);
        try
        {
            using var response = await proxy.Transport.SendAsync(CreateMessage(copy, body, proxy.Transport, destination), limit.Token);
            status = (int)response.StatusCode;
            Answered(proxy, destination, status, failure);
            // To its end, so that the shadow sees no client that leaves, and the connection can be used again.
            await response.Content.CopyToAsync(Stream.Null, limit.Token);
        }
        catch (Exception e)
        {
            if (services.Stopping.IsCancellationRequested)
                return;
            failure = limit.IsCancellationRequested ? new(ProxyError.TotalTimeout, FailureClass.Unanswered, 0)
                : status == 0 ? Failure.OfSend(e, null)
                : new(ProxyError.ResponseBodyDestination, FailureClass.Answered, 0);
            _log.Failed(route.RouteId, shadow.ClusterId, destination.Name, failure.Error, e);
            if (status == 0)
                Answered(proxy, destination, status, failure);
            else if (failure.Error == ProxyError.ResponseBodyDestination)
                BrokeOff(proxy, destination, failure);
        }
        finally
        {
            destination.EndRequest();
            Interlocked.Decrement(ref _active);
        }
        services.MirrorMetrics.Ended(route.RouteId, shadow.ClusterId, status, failure.Error, _time.GetElapsedTime(proxy.StartTimestamp));
    }

    private static HttpRequestMessage CreateMessage(PreparedRequest copy, ReadOnlyMemory<byte>? body, HttpTransport transport, Destination destination)
    {
        var message = transport.CreateMessage(copy, destination);
        if (body is not { } bytes)
            return message;
        var content = new ReadOnlyMemoryContent(bytes);
        if (message.Content is { } carrier)
        {
            foreach (var (name, values) in carrier.Headers.NonValidated)
                content.Headers.TryAddWithoutValidation(name, values);
        }
        message.Content = content;
        return message;
    }

    // The shadow's health is judged by its copies; it has no other requests.
    private void Answered(ProxyContext proxy, Destination destination, int status, in Failure failure)
    {
        foreach (var observer in proxy.Model.Observers)
            observer.Answered(destination, new(status, failure.Error, failure.Class, _time.GetElapsedTime(proxy.StartTimestamp)));
    }

    private static void BrokeOff(ProxyContext proxy, Destination destination, in Failure failure)
    {
        foreach (var observer in proxy.Model.Observers)
            observer.BrokeOff(destination, failure.Error);
    }
}
