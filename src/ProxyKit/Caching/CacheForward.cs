namespace ProxyKit.Caching;

/// <summary>Why a request went to the upstream (RFC 9211 §2.2).</summary>
internal enum CacheForward
{
    UriMiss,
    VaryMiss,
    Stale,
    Request,
    Partial,
}
