using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Configuration;

namespace ProxyKit.Forwarding;

/// <summary>Puts the route's own answers in the place of an upstream's errors. nginx: <c>proxy_intercept_errors</c>.</summary>
internal sealed class ErrorInterception(StatusRanges statuses, ErrorResponder errors)
{
    // What these statuses say nothing without (RFC 9110 §11.6.1, §10.2.1, §10.2.3).
    private static readonly string[] s_kept = ["WWW-Authenticate", "Allow", "Retry-After"];

    public static ErrorInterception? Create(RouteConfig route, ErrorResponder errors) =>
        StatusRanges.Parse(route.InterceptErrors) is { } statuses ? new(statuses, errors) : null;

    /// <summary>Null when the response is to pass.</summary>
    public Task? TryAnswer(HttpContext context, ProxyContext proxy, Attempt attempt) =>
        statuses.Contains(attempt.Response!.StatusCode) ? AnswerAsync(context, proxy, attempt) : null;

    private async Task AnswerAsync(HttpContext context, ProxyContext proxy, Attempt attempt)
    {
        var status = attempt.Response!.StatusCode;
        Keep(attempt.Response.Headers, context.Response.Headers);
        proxy.Model.Affinity?.Deliver(context, proxy, attempt.Destination);
        await attempt.EndAsync();
        await errors.ReplaceAsync(context, status, status);
    }

    private static void Keep(HeaderList from, IHeaderDictionary to)
    {
        foreach (ref readonly var field in from.Fields)
        {
            var name = field.Name;
            if (s_kept.Contains(name, StringComparer.OrdinalIgnoreCase))
                to[name] = StringValues.Concat(to[name], field.Value);
        }
    }
}
