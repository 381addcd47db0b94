using ProxyKit.Configuration;

namespace ProxyKit.StaticSites;

/// <summary>A route's <c>StaticFiles</c> in JSON.</summary>
internal static class StaticFilesReader
{
    public static StaticFilesConfig Read(SectionReader files)
    {
        var defaults = new StaticFilesConfig();
        return new()
        {
            Root = files.Text("Root") ?? defaults.Root,
            IndexFiles = files.Texts("IndexFiles"),
            Fallback = files.Text("Fallback"),
            NoFallbackPaths = files.Has("NoFallbackPaths") ? files.Texts("NoFallbackPaths") : defaults.NoFallbackPaths,
            MaxAge = files.Time("MaxAge") ?? defaults.MaxAge,
            ImmutableFiles = files.Texts("ImmutableFiles"),
            ImmutablePaths = files.Texts("ImmutablePaths"),
            CacheControl = files.Text("CacheControl") ?? defaults.CacheControl,
            Precompressed = files.Has("Precompressed") ? files.Texts("Precompressed") : defaults.Precompressed,
            SymbolicLinks = files.Enum<SymbolicLinkPolicy>("SymbolicLinks") ?? defaults.SymbolicLinks,
            DenyDotPaths = files.Bool("DenyDotPaths") ?? defaults.DenyDotPaths,
            DeniedFiles = files.Texts("DeniedFiles"),
            AllowedFiles = files.Texts("AllowedFiles"),
            ContentTypes = files.Map("ContentTypes"),
        };
    }
}
