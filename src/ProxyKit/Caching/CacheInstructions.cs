using Microsoft.AspNetCore.Http;

namespace ProxyKit.Caching;

/// <summary>What a response says about being stored, from the first field that is believed: a targeted one (RFC 9213), <c>Surrogate-Control</c>, <c>X-Accel-Expires</c>, or <c>Cache-Control</c> with <c>Expires</c>.</summary>
/// <param name="Directives">The directives.</param>
/// <param name="KeepFor">From <c>X-Accel-Expires</c>: how long it is kept, from now on.</param>
/// <param name="HeedsExpires">Whether <c>Expires</c> counts where the directives give no lifetime.</param>
internal readonly record struct CacheInstructions(CacheDirectives Directives, TimeSpan? KeepFor, bool HeedsExpires)
{
    /// <summary>Looks at a response. <paramref name="surrogate"/>: what <c>Surrogate-Control</c> said, where it is believed.</summary>
    public static CacheInstructions Of(IHeaderDictionary headers, CacheDirectives? surrogate, string? accelExpires, DateTimeOffset responseTime, CacheConfig config)
    {
        foreach (var field in config.TargetedFields.AsSpan())
        {
            if (CacheDirectives.ParseTargeted(headers[field]) is { } targeted)
                return new(targeted, null, false);
        }
        if (surrogate is not null)
            return new(surrogate, null, false);
        var general = CacheDirectives.Parse(headers.CacheControl);
        if (AccelExpires.Parse(accelExpires, responseTime) is not { } keepFor)
            return new(general, null, true);
        // It is about whether, and for how long; what is to be left out, or never served stale, stays so.
        return new(general with { NoStore = keepFor == TimeSpan.Zero, NoCache = false, Private = false, MaxAge = null, SharedMaxAge = null, MustUnderstand = false }, keepFor, false);
    }
}
