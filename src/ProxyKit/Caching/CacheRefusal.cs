namespace ProxyKit;

/// <summary>Why a response was not stored.</summary>
public enum CacheRefusal
{
    /// <summary>It was.</summary>
    None,

    /// <summary>The cache was not asked: the method, a body, an upgrade, or <see cref="CacheConfig.Bypass"/>.</summary>
    Bypass,

    /// <summary><see cref="CacheConfig.NoStore"/>.</summary>
    NoStoreCondition,

    /// <summary>The request says <c>no-store</c>, and may.</summary>
    RequestNoStore,

    /// <summary>The response says <c>no-store</c>.</summary>
    ResponseNoStore,

    /// <summary>The response is <c>private</c>.</summary>
    Private,

    /// <summary>The request has <c>Authorization</c>, and the response does not say that it may be shared (RFC 9111 §3.5).</summary>
    Authorization,

    /// <summary>The response has <c>Set-Cookie</c>.</summary>
    SetCookie,

    /// <summary><c>Vary: *</c>.</summary>
    VaryStar,

    /// <summary>The status cannot be stored.</summary>
    Status,

    /// <summary><c>must-understand</c>, with a status that is not understood.</summary>
    MustUnderstand,

    /// <summary>Nothing says how long it is fresh, and nothing can validate it.</summary>
    NoFreshness,

    /// <summary>It was stale when it came, and nothing can validate it.</summary>
    Stale,

    /// <summary>The path looks like a static file, and the content is none (<see cref="CacheConfig.CheckContentType"/>).</summary>
    ContentType,

    /// <summary>A part that cannot be stored: no strong validator, or no valid <c>Content-Range</c>.</summary>
    Partial,

    /// <summary>Longer than <see cref="CacheConfig.MaxEntrySize"/>.</summary>
    TooLarge,

    /// <summary>The key is too long.</summary>
    KeyTooLong,

    /// <summary>Not asked for often enough yet (<see cref="CacheConfig.MinUses"/>).</summary>
    MinUses,

    /// <summary>The store has no room, or has failed.</summary>
    Store,

    /// <summary>The response broke off.</summary>
    Incomplete,

    /// <summary>A stream of events, or another response without an end.</summary>
    Stream,

    /// <summary>
    /// The upstream was sent another request than the one that later requests are compared with: a delegate or handler has changed the URL, or a field that <c>Vary</c> or
    /// <see cref="CacheKeyConfig"/> names.
    /// </summary>
    RequestChanged,
}
