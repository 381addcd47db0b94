namespace ProxyKit;

/// <summary>How the cache came by the answer.</summary>
public enum CacheResult
{
    /// <summary>There is no cache on the route.</summary>
    None,

    /// <summary>It was stored, and fresh.</summary>
    Hit,

    /// <summary>It was stored, and stale: served while it is validated in the background, because the client allows it, or because the upstream failed.</summary>
    Stale,

    /// <summary>It was stored, and the upstream has just said that it is still valid.</summary>
    Revalidated,

    /// <summary>It came from the upstream for another request, which this one has waited for.</summary>
    Collapsed,

    /// <summary>It came from the upstream.</summary>
    Miss,

    /// <summary>It came from the upstream, and the cache was not asked: the method, <see cref="CacheConfig.Bypass"/>, or because the answer could not be stored the last time.</summary>
    Bypass,
}
