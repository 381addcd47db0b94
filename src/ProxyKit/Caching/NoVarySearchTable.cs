using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;

namespace ProxyKit.Caching;

/// <summary>What resources have said about their queries (<c>No-Vary-Search</c>), by key without query. What is forgotten is learned anew from the next response.</summary>
internal sealed class NoVarySearchTable(ILoggerFactory loggers) : IDisposable
{
    private const int MaxRules = 10_000;

    private readonly MemoryCache _rules = new(new MemoryCacheOptions { SizeLimit = MaxRules }, loggers);

    public bool IsEmpty => _rules.Count == 0;

    /// <summary>The query under which a response is found that answers this one; null when nothing has been said.</summary>
    public string? Normalize(string keyWithoutQuery, string query) => _rules.TryGetValue(keyWithoutQuery, out NoVarySearch? rule) ? rule!.Normalize(query) : null;

    public void Learn(string keyWithoutQuery, NoVarySearch rule) => _rules.Set(keyWithoutQuery, rule, new MemoryCacheEntryOptions { Size = 1 });

    public void Dispose() => _rules.Dispose();
}
