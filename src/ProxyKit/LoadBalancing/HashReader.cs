using ProxyKit.Configuration;

namespace ProxyKit.LoadBalancing;

/// <summary>A cluster's <c>Hash</c> in JSON.</summary>
internal static class HashReader
{
    public static HashConfig Read(SectionReader hash) => new()
    {
        Source = hash.Enum<HashSource>("Source") ?? default,
        Name = hash.Text("Name"),
        BoundedLoadFactor = hash.Double("BoundedLoadFactor"),
    };
}
