using ProxyKit.FastCgi;

namespace ProxyKit.StaticSites;

/// <summary>What a path of a site leads to. Exactly one of these, or nothing at all.</summary>
/// <param name="Script">The application answers with this script.</param>
/// <param name="File">The proxy answers with this file.</param>
/// <param name="ContentType">The file's.</param>
/// <param name="IsFolder">There is a folder, and the path lacks its slash.</param>
/// <param name="Refusal">There is nothing for strangers, and this is why.</param>
internal readonly record struct SiteTarget(Script? Script = null, string? File = null, string? ContentType = null, bool IsFolder = false, string? Refusal = null)
{
    public static SiteTarget Hidden { get; } = new(Refusal: "a segment that begins with a dot");

    public static SiteTarget NoScript { get; } = new(Refusal: "a script in a folder where none is run");
}
