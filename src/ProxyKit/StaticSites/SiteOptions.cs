namespace ProxyKit;

/// <summary>A site's files and its front controller; see <see cref="SiteConfig"/>.</summary>
public sealed class SiteOptions
{
    internal SiteOptions(SiteConfig now)
    {
        LocalRoot = now.LocalRoot;
        FrontController = now.FrontController;
        IndexFiles = [.. now.IndexFiles];
        NoScriptPaths = [.. now.NoScriptPaths];
        AssetMaxAge = now.AssetMaxAge;
        DeniedFiles = [.. now.DeniedFiles];
        AllowedFiles = [.. now.AllowedFiles];
        ContentTypes = new Dictionary<string, string>(now.ContentTypes, StringComparer.OrdinalIgnoreCase);
    }

    /// <inheritdoc cref="SiteConfig.LocalRoot"/>
    public string? LocalRoot { get; set; }

    /// <inheritdoc cref="SiteConfig.FrontController"/>
    public string FrontController { get; set; }

    /// <inheritdoc cref="SiteConfig.IndexFiles"/>
    public IList<string> IndexFiles { get; }

    /// <inheritdoc cref="SiteConfig.NoScriptPaths"/>
    public IList<string> NoScriptPaths { get; }

    /// <inheritdoc cref="SiteConfig.AssetMaxAge"/>
    public TimeSpan AssetMaxAge { get; set; }

    /// <inheritdoc cref="SiteConfig.DeniedFiles"/>
    public IList<string> DeniedFiles { get; }

    /// <inheritdoc cref="SiteConfig.AllowedFiles"/>
    public IList<string> AllowedFiles { get; }

    /// <inheritdoc cref="SiteConfig.ContentTypes"/>
    public IDictionary<string, string> ContentTypes { get; }

    internal SiteConfig ToConfig() => new()
    {
        LocalRoot = LocalRoot,
        FrontController = FrontController,
        IndexFiles = IndexFiles.ToValueList(),
        NoScriptPaths = NoScriptPaths.ToValueList(),
        AssetMaxAge = AssetMaxAge,
        DeniedFiles = DeniedFiles.ToValueList(),
        AllowedFiles = AllowedFiles.ToValueList(),
        ContentTypes = new(ContentTypes),
    };
}
