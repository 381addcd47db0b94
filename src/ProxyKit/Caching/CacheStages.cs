using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using ProxyKit.Compression;
using ProxyKit.Forwarding;

namespace ProxyKit.Caching;

/// <summary>
/// A route's cache. Where the route compresses, there is one stage for what the upstream sends, which is asked for it uncompressed, and above it one for each content coding: what they store is compressed
/// once, from what is stored below, and the upstream is not asked again. Their keys end with the coding.
/// </summary>
internal sealed class CacheStages
{
    private readonly CacheStage _plain;
    private readonly ResponseCompression? _compression;
    private readonly ConcurrentDictionary<string, CacheStage> _coded = new(StringComparer.Ordinal);

    public CacheStages(string zone, RequestDelegate next, CacheConfig config, ResponseCompression? compression, ForwarderServices services, UpstreamFields upstream)
    {
        var forwarding = services.Options.PathForwarding;
        _compression = compression;
        _plain = new(zone, next, config, services.Caching, forwarding, coding: null, upstream, compression);
        services.Caching.Zones.Set(zone, _plain);
        if (compression is null)
            return;
        RequestDelegate compress = context => compression.InvokeAsync(context, _plain.InvokeForCodingAsync);
        foreach (var coding in compression.Codings)
            _coded[coding] = new(zone, compress, config, services.Caching, forwarding, coding, upstream, compression);
    }

    public Task InvokeAsync(HttpContext context)
    {
        // Ranges are of what is not compressed: they need no compressing first.
        var coding = _compression is not null && context.Request.Headers.Range.Count == 0 ? _compression.Choose(context.Request) : null;
        if (coding is not null)
            return _coded[coding].InvokeAsync(context);
        return _compression is { Decodes: true } ? _compression.InvokeAsync(context, _plain.InvokeAsync) : _plain.InvokeAsync(context);
    }
}

/// <summary>On the cache's own request for a compressed response: what the stage below has answered with. How long that is fresh is how long the compressed one is.</summary>
internal sealed class CodedSource
{
    public CachedResponseHead? Head { get; set; }
}
