namespace ProxyKit;

/// <summary>
/// Control of what is cached, at run time: injected by its type. A purge also holds for answers that are on their way when it is made. It concerns the stores of this process; other
/// processes have their own.
/// </summary>
public interface IProxyCache
{
    /// <summary>Purges all that is stored of a URL, with every variant.</summary>
    /// <param name="url">The public URL as clients ask for it: absolute, with its query.</param>
    /// <param name="mode">Whether it is removed, or validated before it is used again.</param>
    /// <returns>How many responses there were.</returns>
    /// <exception cref="ArgumentException"><paramref name="url"/> is not absolute.</exception>
    ValueTask<long> PurgeAsync(Uri url, CachePurgeMode mode);

    /// <summary>Purges all URLs that begin so. It looks at every key.</summary>
    /// <param name="prefix">The beginning of public URLs: absolute, such as <c>https://example.com/news/</c>.</param>
    /// <param name="mode">Whether they are removed, or validated before they are used again.</param>
    /// <returns>How many responses there were.</returns>
    /// <exception cref="ArgumentException"><paramref name="prefix"/> is not absolute.</exception>
    ValueTask<long> PurgePrefixAsync(Uri prefix, CachePurgeMode mode);

    /// <summary>Purges all responses with a tag (<see cref="CacheConfig.TagField"/>).</summary>
    /// <param name="tag">The tag, case-sensitively.</param>
    /// <param name="mode">Whether they are removed, or validated before they are used again.</param>
    /// <returns>How many responses there were.</returns>
    ValueTask<long> PurgeTagAsync(string tag, CachePurgeMode mode);

    /// <summary>Purges everything.</summary>
    /// <param name="mode">Whether it is removed, or validated before it is used again.</param>
    /// <returns>How many responses there were.</returns>
    ValueTask<long> PurgeAllAsync(CachePurgeMode mode);

    /// <summary>
    /// Asks for URLs as a client without cookies would, so that the answers are stored before anybody needs them. The routes answer themselves: nothing goes over the network but what goes to the
    /// upstreams, and the app's middleware (authorization, rate limits) is not asked.
    /// </summary>
    /// <param name="urls">Public URLs: absolute.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <returns>For each URL the status it was answered with; 404 where no route has a cache for it.</returns>
    /// <exception cref="ArgumentException">A URL is not absolute.</exception>
    Task<IReadOnlyList<int>> WarmUpAsync(IEnumerable<Uri> urls, CancellationToken cancellationToken);
}

/// <summary>What becomes of what is purged.</summary>
public enum CachePurgeMode
{
    /// <summary>It is removed.</summary>
    Remove,

    /// <summary>It stays, and has to be validated before it is used again; if the upstream fails then, it may still be served. Varnish: soft purge.</summary>
    MarkInvalid,
}
