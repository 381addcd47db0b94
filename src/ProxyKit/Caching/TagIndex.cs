using System.Runtime.InteropServices;

namespace ProxyKit.Caching;

/// <summary>Which keys have responses with a tag.</summary>
internal sealed class TagIndex
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, HashSet<string>> _keys = new(StringComparer.Ordinal);

    public void Add(string key, ValueList<string> tags)
    {
        if (tags.Count == 0)
            return;
        lock (_lock)
        {
            foreach (var tag in tags)
                (CollectionsMarshal.GetValueRefOrAddDefault(_keys, tag, out _) ??= new(StringComparer.Ordinal)).Add(key);
        }
    }

    public void Remove(string key, string tag)
    {
        lock (_lock)
        {
            if (_keys.TryGetValue(tag, out var keys) && keys.Remove(key) && keys.Count == 0)
                _keys.Remove(tag);
        }
    }

    public string[] Find(string tag)
    {
        lock (_lock)
            return _keys.TryGetValue(tag, out var keys) ? [.. keys] : [];
    }
}
