using ProxyKit.Configuration;

namespace ProxyKit.Compression;

/// <summary>What the compression of all routes shares: the codings there are, and what is counted.</summary>
internal sealed class CompressionServices
{
    private static readonly string[] s_preferred = [ContentCodings.Zstd, ContentCodings.Brotli, ContentCodings.Gzip];

    public CompressionServices(IEnumerable<IContentCoding> codings, CompressionMetrics metrics)
    {
        // The last one of a name wins, as with other services. In the order in which they are preferred.
        var byName = new Dictionary<string, IContentCoding>(StringComparer.OrdinalIgnoreCase);
        foreach (var coding in codings)
            byName[coding.Name] = coding;
        Codings = [.. s_preferred.Where(byName.ContainsKey).Select(name => byName[name]), .. byName.Values.Where(coding => !s_preferred.Contains(coding.Name, StringComparer.OrdinalIgnoreCase))];
        Metrics = metrics;
    }

    public IReadOnlyList<IContentCoding> Codings { get; }

    public CompressionMetrics Metrics { get; }

    public IContentCoding? Find(string name) => Codings.FirstOrDefault(coding => coding.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>What is wrong with a name that is not registered.</summary>
    public string Hint(string name) => name.Equals(ContentCodings.Zstd, StringComparison.OrdinalIgnoreCase)
        ? "needs the package ProxyKit.Zstd and AddReverseProxy().AddZstdCompression()."
        : $"is not known{Nearest.Hint(name, Codings.Select(coding => coding.Name))} Your own are added with AddContentCoding.";
}
