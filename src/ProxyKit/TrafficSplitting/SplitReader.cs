using ProxyKit.Configuration;

namespace ProxyKit.TrafficSplitting;

/// <summary>A route's <c>Split</c> in JSON.</summary>
internal static class SplitReader
{
    public static SplitConfig Read(SectionReader split) => new()
    {
        Clusters = split.Sections("Clusters", ReadCluster),
        Sticky = split.Section("Sticky", ReadSticky),
    };

    // The name stands inside, not as the key: keys lose their order, and conditions have one.
    private static SplitClusterConfig ReadCluster(SectionReader cluster) => new()
    {
        ClusterId = cluster.Required("ClusterId"),
        Percentage = cluster.Double("Percentage") ?? 0,
        Headers = cluster.Sections("Headers", ConfigurationConfigSource.ReadHeader),
        Cookies = cluster.Sections("Cookies", cookie => new CookieMatch { Name = cookie.Required("Name"), Values = cookie.Texts("Values") }),
    };

    private static SplitStickyConfig ReadSticky(SectionReader sticky) => new()
    {
        By = sticky.Enum<SplitStickyBy>("By") ?? default,
        Name = sticky.Text("Name"),
        MaxAge = sticky.Time("MaxAge"),
        Domain = sticky.Text("Domain"),
    };
}
