namespace ProxyKit.Caching;

/// <summary>One request of the cache's to the upstream.</summary>
internal sealed class CacheFlight
{
    public Task StartAsync(CacheResponseFeature response) => throw new NotImplementedException();

    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => throw new NotImplementedException();
}
