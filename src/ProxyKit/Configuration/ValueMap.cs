using System.Collections;
using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;

namespace ProxyKit;

/// <summary>An immutable map of text to text that compares by its entries. Keys are case-insensitive.</summary>
[SuppressMessage("Naming", "CA1710", Justification = "A map, as ValueList is a list.")]
public sealed class ValueMap : IReadOnlyDictionary<string, string>, IEquatable<ValueMap>
{
    private readonly FrozenDictionary<string, string> _entries;

    /// <summary>A map of <paramref name="entries"/>.</summary>
    /// <exception cref="ArgumentException">A key stands there twice.</exception>
    public ValueMap(IEnumerable<KeyValuePair<string, string>> entries) =>
        _entries = new Dictionary<string, string>(entries, StringComparer.OrdinalIgnoreCase).ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>The map without entries.</summary>
    public static ValueMap Empty { get; } = new([]);

    /// <inheritdoc/>
    public int Count => _entries.Count;

    /// <inheritdoc/>
    public IEnumerable<string> Keys => _entries.Keys;

    /// <inheritdoc/>
    public IEnumerable<string> Values => _entries.Values;

    /// <inheritdoc/>
    public string this[string key] => _entries[key];

    /// <inheritdoc/>
    public bool ContainsKey(string key) => _entries.ContainsKey(key);

    /// <inheritdoc/>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out string value) => _entries.TryGetValue(key, out value);

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => ((IEnumerable<KeyValuePair<string, string>>)_entries).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public bool Equals(ValueMap? other) =>
        other is not null && Count == other.Count && _entries.All(e => other.TryGetValue(e.Key, out var value) && value == e.Value);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ValueMap);

    /// <inheritdoc/>
    public override int GetHashCode() =>
        _entries.Aggregate(0, (hash, e) => hash ^ HashCode.Combine(StringComparer.OrdinalIgnoreCase.GetHashCode(e.Key), e.Value));
}
