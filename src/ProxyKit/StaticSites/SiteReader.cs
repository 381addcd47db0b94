using ProxyKit.Configuration;

namespace ProxyKit.StaticSites;

/// <summary>A route's <c>Site</c> in JSON.</summary>
internal static class SiteReader
{
    public static SiteConfig Read(SectionReader site)
    {
        var defaults = new SiteConfig();
        return new()
        {
            Enabled = site.Bool("Enabled") ?? defaults.Enabled,
            LocalRoot = site.Text("LocalRoot"),
            FrontController = site.Text("FrontController") ?? defaults.FrontController,
            IndexFiles = site.Has("IndexFiles") ? site.Texts("IndexFiles") : defaults.IndexFiles,
            NoScriptPaths = site.Has("NoScriptPaths") ? site.Texts("NoScriptPaths") : defaults.NoScriptPaths,
            AssetMaxAge = site.Time("AssetMaxAge") ?? defaults.AssetMaxAge,
            DeniedFiles = site.Texts("DeniedFiles"),
            AllowedFiles = site.Texts("AllowedFiles"),
            ContentTypes = site.Map("ContentTypes"),
        };
    }
}
