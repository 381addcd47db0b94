using Polly;
using ProxyKit.Forwarding;

namespace ProxyKit.Resilience;

/// <content>A user's own pipeline: exceptions are thrown and messages returned, as its strategies expect of HttpClient.</content>
internal sealed partial class AttemptSeries
{
    private Task? _trying;
    private bool _isTrying;

    private async Task<Attempt> RunAsync(ResiliencePipeline<HttpResponseMessage> pipeline, ResilienceContext resilienceContext)
    {
        HttpResponseMessage message;
        try
        {
            message = await pipeline.ExecuteAsync(static (resilienceContext, series) => series.TryMessageAsync(resilienceContext), resilienceContext, this);
        }
        catch (Exception e)
        {
            return _attempts.LastOrDefault(a => ReferenceEquals(a.Attempt.Exception, e)).Attempt ?? Failed(e);
        }
        if (_attempts.LastOrDefault(a => ReferenceEquals(a.Attempt.Response?.Message, message)).Attempt is { } answered)
            return answered;
        if (_attempts.LastOrDefault(a => a.Attempt is { Response: null, Exception: null, Destination: not null }).Attempt is { } byDelegate)
            return byDelegate;
        // The pipeline has an answer of its own, such as a fallback.
        var attempt = Create();
        attempt.Response = new HttpClientResponse(message);
        attempt.StatusCode = attempt.Response.StatusCode;
        attempt.Clock.HeadersReceived(services.Clocks.Time.GetTimestamp());
        return attempt;
    }

    private async ValueTask<HttpResponseMessage> TryMessageAsync(ResilienceContext resilienceContext)
    {
        if (Interlocked.Exchange(ref _isTrying, true))
            throw new InvalidOperationException("A resilience pipeline must not make attempts side by side; WithHedging does that.");
        var trying = TryMessageOnceAsync(resilienceContext.CancellationToken);
        _trying = trying;
        try
        {
            return await trying;
        }
        finally
        {
            Volatile.Write(ref _isTrying, false);
        }
    }

    private async Task<HttpResponseMessage> TryMessageOnceAsync(CancellationToken cancellationToken)
    {
        if (_attempts.Count > 0)
        {
            var last = _attempts[^1].Attempt;
            await last.EndAsync();
            if (!CanSendAgain)
                throw last.Exception ?? new InvalidOperationException(TooLong);
        }
        var attempt = Create();
        await RunAsync(attempt, cancellationToken);
        if (attempt.Exception is { } exception)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(exception);
        return attempt.Response?.Message ?? new HttpResponseMessage();
    }

    private async ValueTask EndPipelineAsync()
    {
        if (_trying is { IsCompleted: false }) // a strategy of the user's did not wait for it
        {
            _attempts[^1].Clock.CancelExchange();
            await _trying.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
