using Microsoft.AspNetCore.Http;

namespace ProxyKit.Caching;

/// <summary>
/// What a request that goes past the cache means for what is stored, seen when its response starts: an unsafe method makes it invalid (RFC 9111 §4.4), before the client hears that it has succeeded; the
/// answer to a HEAD brings it up to date (§4.3.5).
/// </summary>
internal sealed class CachePass(CacheStage stage, CacheRefusal refusal, bool mayUpdate)
{
    public async Task StartingAsync(HttpContext context)
    {
        var (request, response) = (context.Request, context.Response);
        if (response.StatusCode < StatusCodes.Status200OK)
            return;
        try
        {
            if (mayUpdate)
                await stage.UpdateFromHeadAsync(context);
            else if (!IsSafe(request.Method) && response.StatusCode < 400)
                await CacheInvalidation.InvalidateAsync(stage.Services, context);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            stage.Services.Log.StoreFailed(stage.Store.Name, e);
        }
        stage.AddVary(context, response.ContentLength);
        if (stage.Config.TagField.Length > 0)
            response.Headers.Remove(stage.Config.TagField);
        if (stage.Config.SurrogateControl)
            response.Headers.Remove("Surrogate-Control");
        if (stage.Config.CacheStatus)
            CacheStatusField.Append(response.Headers, CacheStatusField.OfPassed(context, refusal));
    }

    // RFC 9110 §9.2.1
    private static bool IsSafe(string method) =>
        HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method) || method is "QUERY" or "PROPFIND" or "REPORT" or "SEARCH";
}
