using ProxyKit.Configuration;

namespace ProxyKit.Mirroring;

/// <summary>A route's <c>Mirror</c> in JSON.</summary>
internal static class MirrorReader
{
    public static MirrorConfig Read(SectionReader mirror)
    {
        var defaults = new MirrorConfig { ClusterId = mirror.Required("ClusterId") };
        return defaults with
        {
            Percentage = mirror.Double("Percentage") ?? defaults.Percentage,
            MaxBodySize = mirror.Long("MaxBodySize") ?? defaults.MaxBodySize,
            Timeout = mirror.Time("Timeout") ?? defaults.Timeout,
            MaxConcurrentRequests = mirror.Int("MaxConcurrentRequests") ?? defaults.MaxConcurrentRequests,
            Header = mirror.Text("Header"),
        };
    }
}
