using System.Runtime.CompilerServices;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <content>Sending.</content>
internal sealed partial class FastCgiExchange
{
    private static readonly Task<bool> s_sent = Task.FromResult(true), s_notSent = Task.FromResult(false);

    private Task<bool>? _sending;
    private Exception? _contentFailure;
    private bool _hasSendFailed;

    /// <summary>Sends a request; the answer's body is still to come.</summary>
    /// <exception cref="UpstreamException">There is no answer.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<UpstreamResponse?> SendAsync(FastCgiRequest request, FastCgiSettings settings, CancellationToken cancellationToken)
    {
        FastCgiRequestWriter? writer = null;
        FastCgiExchange? exchange = null;
        try
        {
            var (content, length) = (request.Content, request.Length);
            var isReplayable = content is null or ByteArrayContent or ReadOnlyMemoryContent or RequestBodyContent { IsBuffered: true } || length is null;
            if (content is not null && length is null)
                length = await LoadAsync(content, settings.MaxBufferedContent, cancellationToken);
            writer = Write(request, settings, length);
            for (var fresh = false; ; fresh = true)
            {
                exchange = new(await settings.Connections.RentAsync(fresh, cancellationToken), settings, request, writer);
                try
                {
                    exchange._sending = exchange.SendRequestAsync(length ?? 0, cancellationToken);
                    while (!exchange.TryParseHead())
                    {
                        if (!exchange.Filled(await exchange.FillAsync(cancellationToken)))
                            throw exchange.EndedEarly();
                    }
                    return exchange;
                }
                catch (Exception e)
                {
                    exchange.Dispose();
                    cancellationToken.ThrowIfCancellationRequested();
                    if (fresh || !exchange.IsStale || !(writer.IsWhole || isReplayable))
                        throw exchange.Explain(e);
                    await exchange._sending!;
                }
                if (!writer.IsWhole)
                {
                    writer.Dispose();
                    writer = Write(request, settings, length);
                }
            }
        }
        finally
        {
            if (exchange?._sending is { IsCompleted: false } sending)
                _ = DisposeAfterAsync(writer!, sending);
            else
                writer?.Dispose();
        }
    }

    /// <summary>Sends what has been written, to make room.</summary>
    public async ValueTask SendWrittenAsync(CancellationToken cancellationToken)
    {
        await SendToConnectionAsync(cancellationToken);
        _writer.Forget();
    }

    /// <summary>
    /// Whether the application had closed a kept connection, as far as one can know. An answer that never came may be a crash as well, in the middle of something that must
    /// not be done twice (RFC 9110 §9.2.2); if it was not even sent, it does not matter.
    /// </summary>
    private bool IsStale => _rented.IsReused && !_hasReceived && !_isTimedOut && _contentFailure is null
        && ((_hasSendFailed && _writer.IsWhole) || _request.Method is "GET" or "HEAD" or "OPTIONS" or "PUT" or "DELETE" or "TRACE");

    private static FastCgiRequestWriter Write(FastCgiRequest request, FastCgiSettings settings, long? length)
    {
        var writer = new FastCgiRequestWriter(settings.Connections.KeepsConnections);
        try
        {
            writer.Begin();
            request.WriteVariables(writer, length);
            writer.EndParameters();
            return writer;
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    // A length that is not known must be found out: without one php sees no body, with a wrong one it hangs.
    private static async ValueTask<long?> LoadAsync(HttpContent content, long limit, CancellationToken cancellationToken)
    {
        try
        {
            await content.LoadIntoBufferAsync(limit, cancellationToken);
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            throw FastCgiFailure.Refused(413, $"The request's content has no known length, and more than {limit} bytes.", e);
        }
        return content.Headers.ContentLength;
    }

    /// <summary>Whether the whole request was sent.</summary>
    private Task<bool> SendRequestAsync(long length, CancellationToken cancellationToken)
    {
        if (length > 0 && !_writer.IsComplete)
            return SendWithContentAsync(length, cancellationToken);
        if (!_writer.IsComplete)
            _writer.EndInput();
        try
        {
            var sending = _rented.SendAsync(_writer.Written, cancellationToken);
            if (!sending.IsCompletedSuccessfully)
                return FinishAsync(sending);
            Touch();
            return s_sent;
        }
        catch (Exception)
        {
            _hasSendFailed = true;
            return s_notSent;
        }
    }

    private async Task<bool> FinishAsync(ValueTask sending)
    {
        try
        {
            await sending;
            Touch();
            return true;
        }
        catch (Exception)
        {
            _hasSendFailed = true;
            return false;
        }
    }

    private async Task<bool> SendWithContentAsync(long length, CancellationToken cancellationToken)
    {
        try
        {
            var input = new FastCgiStandardInput(_writer, this, length);
            await _request.Content!.CopyToAsync(input, cancellationToken);
            input.Complete();
            _writer.EndInput();
            await SendToConnectionAsync(cancellationToken);
            return true;
        }
        catch (Exception e)
        {
            // If it was the connection, an answer that was given early may still be read. Without the rest of the content none need come.
            if (!_hasSendFailed)
            {
                _contentFailure = e;
                _rented.Dispose();
            }
            return false;
        }
    }

    private async ValueTask SendToConnectionAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _rented.SendAsync(_writer.Written, cancellationToken);
        }
        catch
        {
            _hasSendFailed = true;
            throw;
        }
        Touch();
    }

    private Exception Explain(Exception exception)
    {
        if (_contentFailure is { } content)
            return content as HttpRequestException ?? new HttpRequestException("The request's content could not be sent.", content);
        if (_isTimedOut)
            return FastCgiFailure.Unanswered(ProxyError.IdleTimeout, $"Nothing moved for {_settings.IdleTimeout}.", new TimeoutException());
        return exception as UpstreamException
            ?? FastCgiFailure.Unanswered(_hasSendFailed && !_writer.IsWhole ? ProxyError.RequestBodyDestination : ProxyError.Request, exception.Message, exception);
    }

    private static async Task DisposeAfterAsync(FastCgiRequestWriter writer, Task<bool> sending)
    {
        await sending;
        writer.Dispose();
    }
}
