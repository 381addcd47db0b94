using Microsoft.AspNetCore.Http;
using Polly;

namespace ProxyKit;

/// <summary>What a Polly pipeline of your own can see of the request; see <see cref="ResilienceConfig.Pipeline"/>.</summary>
public static class ProxyResilience
{
    internal static readonly ResiliencePropertyKey<HttpContext> HttpContextKey = new("ProxyKit.HttpContext");

    /// <summary>The request that the pipeline is executed for; null outside of one.</summary>
    public static HttpContext? GetHttpContext(this ResilienceContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Properties.GetValue(HttpContextKey, null!);
    }
}
