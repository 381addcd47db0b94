using System.Runtime.CompilerServices;
using Microsoft.Extensions.Configuration;

namespace ProxyKit.Configuration;

/// <summary>A configuration section with all that is below it, read once.</summary>
/// <remarks>
/// <see cref="IConfiguration.GetChildren"/> walks all keys of all providers at each call, so that reading a section by it takes time that grows with the square of its
/// size. Here each key of each provider is looked at once.
/// </remarks>
internal sealed class SectionNode(string key, string path)
{
    private readonly SortedDictionary<string, SectionNode> _children = new(Comparer<string>.Create(ConfigurationKeyComparer.Instance.Compare));

    public string Key { get; } = key;

    public string Path { get; } = path;

    public string? Value { get; private set; }

    public IReadOnlyCollection<SectionNode> Children => _children.Values;

    /// <summary>Whether it has a value or keys. An empty JSON object has neither, and is still a child of its parent.</summary>
    public bool HasContent => Value is not null || _children.Count > 0;

    public SectionNode? Find(string key)
    {
        var node = this;
        foreach (var segment in key.Split(ConfigurationPath.KeyDelimiter))
        {
            if (!node._children.TryGetValue(segment, out node))
                return null;
        }
        return node;
    }

    /// <param name="section">What is read.</param>
    /// <param name="root">The app's configuration, which the section may be part of.</param>
    public static SectionNode Read(IConfiguration section, IConfiguration? root)
    {
        var node = section is IConfigurationSection { Key: var key, Path: var path } ? new SectionNode(key, path) : new SectionNode("", "");
        // A section has the token of its root, and does not tell the root otherwise.
        if ((section as IConfigurationRoot ?? (root?.GetReloadToken() == section.GetReloadToken() ? root as IConfigurationRoot : null)) is not { } owner || !node.TryAdd(owner))
        {
            node._children.Clear();
            node.AddChildren(section);
        }
        return node;
    }

    // Providers override each other in their order.
    private bool TryAdd(IConfigurationRoot root)
    {
        foreach (var provider in root.Providers)
        {
            switch (provider)
            {
                case ChainedConfigurationProvider { Configuration: IConfigurationRoot inner }:
                    if (!TryAdd(inner))
                        return false;
                    break;
                case ConfigurationProvider known:
                    foreach (var (key, value) in Data(known))
                        Add(key, value);
                    break;
                default:
                    return false;
            }
        }
        return true;
    }

    private void Add(string key, string? value)
    {
        var rest = key.AsSpan();
        if (Path.Length > 0)
        {
            if (!key.StartsWith(Path, StringComparison.OrdinalIgnoreCase) || key.Length == Path.Length || key[Path.Length] != ':')
                return;
            rest = rest[(Path.Length + 1)..];
        }
        var node = this;
        while (true)
        {
            var end = rest.IndexOf(':');
            node = node.Child((end < 0 ? rest : rest[..end]).ToString());
            if (end < 0)
                break;
            rest = rest[(end + 1)..];
        }
        node.Value = value;
    }

    private void AddChildren(IConfiguration section)
    {
        foreach (var child in section.GetChildren())
        {
            var node = Child(child.Key);
            node.Value = child.Value;
            node.AddChildren(child);
        }
    }

    private SectionNode Child(string key)
    {
        if (!_children.TryGetValue(key, out var child))
            _children.Add(key, child = new(key, Path.Length == 0 ? key : ConfigurationPath.Combine(Path, key)));
        return child;
    }

    // Protected, so part of what providers may rely on.
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_Data")]
    private static extern IDictionary<string, string?> Data(ConfigurationProvider provider);
}
