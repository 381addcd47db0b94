using System.Collections.Concurrent;
using ProxyKit.Caching.Disk;

namespace ProxyKit.Caching;

/// <summary>
/// The <c>No-Vary-Search</c> rules that responses of a URL without its query have carried. A response with a rule is stored under a key that names the rule, so the rule governs that response alone; this table
/// only tells under which keys to look. What is forgotten is learned again from the next response.
/// </summary>
internal sealed class NoVarySearchTable
{
    private const int MaxUrls = 4096;
    private const int MaxRulesOfUrl = 4;

    private readonly ConcurrentDictionary<KeyHash, NoVarySearch[]> _rules = new();

    public bool IsEmpty => _rules.IsEmpty;

    /// <summary>The rules of a URL, the newest first.</summary>
    public NoVarySearch[] Find(string urlWithoutQuery) => IsEmpty ? [] : _rules.GetValueOrDefault(KeyHash.Of(urlWithoutQuery)) ?? [];

    public void Learn(string urlWithoutQuery, NoVarySearch rule)
    {
        if (_rules.Count >= MaxUrls)
            _rules.Clear();
        _rules.AddOrUpdate(KeyHash.Of(urlWithoutQuery), static (_, rule) => [rule],
            static (_, known, rule) => known[0].Text == rule.Text ? known : [rule, .. known.Where(other => other.Text != rule.Text).Take(MaxRulesOfUrl - 1)], rule);
    }
}
