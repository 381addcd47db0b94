using Microsoft.AspNetCore.Http;

namespace ProxyKit.Caching;

/// <summary>Whether a response is stored, and how long it is fresh (RFC 9111 §3, §4.2).</summary>
internal sealed class ResponsePolicy(CacheConfig config)
{
    public CacheConfig Config => config;

    /// <summary>
    /// Looks at a response's status and fields. Fields that are for this cache alone (<c>Surrogate-Control</c> where it is believed, the tag field) are taken off <paramref name="response"/>; the
    /// client sees the rest.
    /// </summary>
    /// <param name="request">The request as the client sent it.</param>
    /// <param name="response">The response's status and header section.</param>
    /// <param name="accelExpires">The value of <c>X-Accel-Expires</c>; null when there was none.</param>
    /// <param name="requestTime">When the request was made.</param>
    /// <param name="responseTime">When the header section was there.</param>
    public StorePlan Plan(HttpRequest request, HttpResponse response, string? accelExpires, DateTimeOffset requestTime, DateTimeOffset responseTime) => throw new NotImplementedException();
}

/// <summary>What is done with a response.</summary>
/// <param name="Head">What is stored; null where nothing is.</param>
/// <param name="Refusal">Why nothing is.</param>
internal readonly record struct StorePlan(CachedResponseHead? Head, CacheRefusal Refusal);
