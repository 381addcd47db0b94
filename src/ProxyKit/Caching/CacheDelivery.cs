using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using ProxyKit.Forwarding;

namespace ProxyKit.Caching;

/// <summary>Hands responses to clients: the client's own conditions and ranges, <c>Age</c>, <c>Cache-Status</c>, and what of the body was asked for.</summary>
internal sealed class CacheDelivery(CacheStage stage)
{
    private static readonly string[] s_ages = [.. Enumerable.Range(0, 600).Select(age => age.ToString(CultureInfo.InvariantCulture))];

    /// <summary>Whether a stored response can answer: a part answers only what lies within it.</summary>
    public static bool CanDeliver(HttpRequest request, CachedResponse stored) =>
        stored.Head.RangeStart is null || RangeRequest.OfPart(request, stored.Head, stored.Length) is not null;

    /// <summary>What is stored. Takes the body over. <paramref name="coded"/>: who compresses it, and is told what it is.</summary>
    public Task DeliverAsync(HttpContext context, CachedResponse stored, CachedBody body, TimeSpan age, CacheResult result, CodedSource? coded)
    {
        var (head, proxy) = (stored.Head, context.GetProxyContext());
        coded?.Head = head;
        WriteHeaders(context, head.StatusCode, head.Headers.AsSpan());
        context.Response.Headers.Age = Age(age);
        stage.AddVary(context, stored.Length);
        if (stage.Config.CacheStatus)
            CacheStatusField.Append(context.Response.Headers, CacheStatusField.OfStored(result, head, age));
        var plan = Plan(context, head, stored.Length);
        stage.Services.Metrics.Answered(stage.Zone, result);
        stage.Services.Metrics.Served(stage.Zone, plan.Length);
        if (proxy is not null)
            (proxy.CacheResult, proxy.ResponseBodyBytes) = (result, plan.Length);
        if (plan.Length == 0)
        {
            body.Dispose();
            return Task.CompletedTask;
        }
        var copying = SendAsync(context.Response, body, plan, context.RequestAborted);
        if (!copying.IsCompletedSuccessfully)
            return FinishAsync(context, stored, copying, body);
        copying.GetAwaiter().GetResult();
        body.Dispose();
        return Task.CompletedTask;
    }

    /// <summary>What is on its way. <paramref name="isFirst"/>: the one who asked first is sent what others are not.</summary>
    public async Task DeliverAsync(HttpContext context, FlightAnswer answer, CacheFill.Reader reader, bool isFirst, CacheForward forward, CodedSource? coded)
    {
        var (response, head) = (answer.Response, answer.Head);
        coded?.Head = head;
        if (isFirst)
        {
            foreach (var (name, value) in response.Headers)
                Append(context.Response.Headers, name, value);
            if (head is not null && response.Headers.Date.Count == 0)
                context.Response.Headers.Date = StoredHeaders.Get(head, "Date"); // the one that all others will see
            context.Response.StatusCode = response.StatusCode;
            if (response.ReasonPhrase is not null && context.Features.Get<IHttpResponseFeature>() is { } feature)
                feature.ReasonPhrase = response.ReasonPhrase;
        }
        else
        {
            WriteHeaders(context, head!.StatusCode, head.Headers.AsSpan());
            context.Response.Headers.Age = Age(CacheUses.Age(head, stage.Services.Time.GetUtcNow()));
        }
        if (isFirst && context.GetProxyContext() is { Destination: { } answered } proxy)
            proxy.Model.Affinity?.Deliver(context, proxy, answered);
        Describe(context, isFirst ? CacheResult.Miss : CacheResult.Collapsed, answer, forward);

        var announced = response.Headers.ContentLength;
        stage.AddVary(context, announced);
        // Ranges are cut from what has a length, and conditions asked of what is stored; what is merely passed on is the upstream's answer.
        var plan = head is { StatusCode: StatusCodes.Status200OK } && announced is { } length ? Plan(context, head, length)
            : head is not null && CacheValidation.Evaluate(context.Request, head) is { } status ? NoBody(context, status, head)
            : new DeliveryPlan(0, HttpMethods.IsHead(context.Request.Method) ? 0 : long.MaxValue, null);
        if (plan.Length == 0)
            return;
        var isWritten = false;
        try
        {
            if (!context.Response.HasStarted)
                await context.Response.StartAsync(context.RequestAborted);
            var target = context.Response.BodyWriter;
            if (plan.Parts is not null)
                await plan.Parts.WriteAsync(target, reader.CopyToAsync, context.RequestAborted);
            else
                await reader.CopyToAsync(target, plan.Offset, plan.Length, context.RequestAborted);
            isWritten = plan.Length != long.MaxValue;
            // Who has all of it, and asks again, finds it stored. Who wanted a part need not wait for the rest.
            if (plan.Length == long.MaxValue || plan.Offset + plan.Length == announced)
                await reader.EndAsync(context.RequestAborted);
        }
        catch (OperationCanceledException) when (isWritten)
        {
            return; // the client has closed, with everything that it asked for
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            Break(context, e);
            return;
        }
        if (isFirst && response.Trailers.Count > 0 && context.Features.Get<IHttpResponseTrailersFeature>() is { Trailers: { IsReadOnly: false } trailers })
        {
            foreach (var (name, value) in response.Trailers)
                trailers[name] = value;
        }
    }

    /// <summary>Says how the cache came by an answer.</summary>
    public void Describe(HttpContext context, CacheResult result, string parameters)
    {
        if (context.GetProxyContext() is { } proxy)
            proxy.CacheResult = result;
        stage.Services.Metrics.Answered(stage.Zone, result);
        if (stage.Config.CacheStatus)
            CacheStatusField.Append(context.Response.Headers, parameters);
    }

    private void Describe(HttpContext context, CacheResult result, FlightAnswer answer, CacheForward forward)
    {
        if (stage.Coding is not null && result == CacheResult.Miss)
            return; // the stage below has told what there is to tell
        if (context.GetProxyContext() is { } proxy)
            (proxy.CacheResult, proxy.CacheRefusal) = (result, answer.Refusal);
        stage.Services.Metrics.Answered(stage.Zone, result);
        if (result == CacheResult.Miss && answer.Refusal != CacheRefusal.None)
            stage.Services.Metrics.NotStored(stage.Zone, answer.Refusal);
        if (stage.Config.CacheStatus)
            CacheStatusField.Append(context.Response.Headers, CacheStatusField.OfForwarded(result, answer, forward));
    }

    private static DeliveryPlan Plan(HttpContext context, CachedResponseHead head, long length)
    {
        var (request, response) = (context.Request, context.Response);
        if (CacheValidation.Evaluate(request, head) is { } status)
            return NoBody(context, status, head);
        if (head.StatusCode is StatusCodes.Status204NoContent or StatusCodes.Status304NotModified)
            return default;
        if (head.RangeStart is { } start)
        {
            var (offset, count) = RangeRequest.OfPart(request, head, length)!.Value;
            SetRange(response, start + offset, count, head.CompleteLength);
            return new(offset, HttpMethods.IsHead(request.Method) ? 0 : count, null);
        }
        var range = request.Headers.Range.Count > 0 ? RangeRequest.Of(request, head, length) : default;
        switch (range.Kind)
        {
            case RangeKind.Single:
                response.StatusCode = StatusCodes.Status206PartialContent;
                SetRange(response, range.Ranges[0].Offset, range.Ranges[0].Count, length);
                return new(range.Ranges[0].Offset, range.Ranges[0].Count, null);
            case RangeKind.Multiple:
                var parts = new MultipartRanges(range.Ranges, length, response.ContentType);
                response.StatusCode = StatusCodes.Status206PartialContent;
                response.ContentType = parts.ContentType;
                response.ContentLength = parts.Length;
                return new(0, parts.Length, parts);
            case RangeKind.NotSatisfiable:
                response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
                response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes */{length}");
                response.Headers.Remove("Content-Type");
                response.ContentLength = 0;
                return default;
            default:
                response.ContentLength = length;
                return new(0, HttpMethods.IsHead(request.Method) ? 0 : length, null);
        }
    }

    private static DeliveryPlan NoBody(HttpContext context, int status, CachedResponseHead head)
    {
        context.Response.StatusCode = status;
        var headers = context.Response.Headers;
        headers.ContentLength = status == StatusCodes.Status304NotModified ? null : 0;
        // RFC 9110 §15.4.5: what describes the content is not needed with a validator, and would describe none.
        if (head.Headers.Count > 0)
        {
            headers.Remove("Content-Type");
            headers.Remove("Content-Encoding");
            headers.Remove("Content-Language");
            headers.Remove("Content-Range");
        }
        return default;
    }

    private static void SetRange(HttpResponse response, long offset, long count, long? complete)
    {
        response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes {offset}-{offset + count - 1}/{complete?.ToString(CultureInfo.InvariantCulture) ?? "*"}");
        response.ContentLength = count;
    }

    private static void WriteHeaders(HttpContext context, int status, ReadOnlySpan<KeyValuePair<string, StringValues>> stored)
    {
        context.Response.StatusCode = status;
        var headers = context.Response.Headers;
        var isEmpty = headers.Count == 0;
        foreach (ref readonly var field in stored)
        {
            if (field.Key.Length == 14 && field.Key.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
                continue; // it follows from what is sent
            if (isEmpty)
                headers[field.Key] = field.Value;
            else
                Append(headers, field.Key, field.Value);
        }
    }

    // What the app's middleware has set before stays; its own policy of transport security wins.
    private static void Append(IHeaderDictionary headers, string name, StringValues value)
    {
        if (!headers.TryGetValue(name, out var before) || before.Count == 0)
            headers[name] = value;
        else if (!name.Equals("Strict-Transport-Security", StringComparison.OrdinalIgnoreCase) && before != value)
            headers[name] = StringValues.Concat(before, value);
    }

    private static ValueTask SendAsync(HttpResponse response, CachedBody body, DeliveryPlan plan, CancellationToken gone)
    {
        // What is written piece by piece before the response has started, Kestrel would keep and copy once more.
        var starting = plan.Length > MemoryBody.LargestSmall ? response.StartAsync(gone) : Task.CompletedTask;
        return starting.IsCompletedSuccessfully ? CopyAsync(response, body, plan, gone) : CopyAsync(starting, response, body, plan, gone);
    }

    private static async ValueTask CopyAsync(Task starting, HttpResponse response, CachedBody body, DeliveryPlan plan, CancellationToken gone)
    {
        await starting;
        await CopyAsync(response, body, plan, gone);
    }

    private static ValueTask CopyAsync(HttpResponse response, CachedBody body, DeliveryPlan plan, CancellationToken gone) => plan.Parts is null
        ? body.CopyToAsync(response.BodyWriter, plan.Offset, plan.Length, gone)
        : plan.Parts.WriteAsync(response.BodyWriter, body.CopyToAsync, gone);

    // RFC 9111 §5.1
    private static StringValues Age(TimeSpan age)
    {
        var seconds = Math.Max(0, (long)age.TotalSeconds);
        return seconds < s_ages.Length ? s_ages[seconds] : seconds.ToString(CultureInfo.InvariantCulture);
    }

    private async Task FinishAsync(HttpContext context, CachedResponse stored, ValueTask copying, CachedBody body)
    {
        try
        {
            await copying;
        }
        catch (IOException e) when (!context.RequestAborted.IsCancellationRequested)
        {
            stage.Services.Log.Damaged(stage.Store.Name, e);
            if (stage.KeyOf(context, query: null) is { } key)
                await stage.Store.RemoveAsync(key, stored, CancellationToken.None);
            Break(context, e);
        }
        catch (OperationCanceledException e)
        {
            Break(context, e);
        }
        finally
        {
            body.Dispose();
        }
    }

    // Never a clean end.
    private static void Break(HttpContext context, Exception exception)
    {
        var error = context.RequestAborted.IsCancellationRequested ? ProxyError.ClientAborted : ProxyError.ResponseBodyDestination;
        if (context.GetProxyContext() is { } proxy)
        {
            if (proxy.Error == ProxyError.None)
                (proxy.Error, proxy.Exception) = (error, exception);
            proxy.FailureClass = FailureClass.ResponseStarted;
        }
        Forwarder.Abort(context, error);
    }

    /// <param name="Offset">The first byte that is sent.</param>
    /// <param name="Length">How many are; <see cref="long.MaxValue"/>: as many as come.</param>
    /// <param name="Parts">Several ranges.</param>
    private readonly record struct DeliveryPlan(long Offset, long Length, MultipartRanges? Parts);
}
