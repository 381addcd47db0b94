namespace ProxyKit;

/// <summary>A folder's files, in front of the upstream; see <see cref="StaticFilesConfig"/>.</summary>
public sealed class StaticFilesOptions
{
    internal StaticFilesOptions(StaticFilesConfig now)
    {
        Root = now.Root;
        IndexFiles = [.. now.IndexFiles];
        Fallback = now.Fallback;
        NoFallbackPaths = [.. now.NoFallbackPaths];
        MaxAge = now.MaxAge;
        ImmutableFiles = [.. now.ImmutableFiles];
        ImmutablePaths = [.. now.ImmutablePaths];
        CacheControl = now.CacheControl;
        Precompressed = [.. now.Precompressed];
        SymbolicLinks = now.SymbolicLinks;
        DenyDotPaths = now.DenyDotPaths;
        DeniedFiles = [.. now.DeniedFiles];
        AllowedFiles = [.. now.AllowedFiles];
        ContentTypes = new Dictionary<string, string>(now.ContentTypes, StringComparer.OrdinalIgnoreCase);
    }

    /// <inheritdoc cref="StaticFilesConfig.Root"/>
    public string Root { get; set; }

    /// <inheritdoc cref="StaticFilesConfig.IndexFiles"/>
    public IList<string> IndexFiles { get; }

    /// <inheritdoc cref="StaticFilesConfig.Fallback"/>
    public string? Fallback { get; set; }

    /// <inheritdoc cref="StaticFilesConfig.NoFallbackPaths"/>
    public IList<string> NoFallbackPaths { get; }

    /// <inheritdoc cref="StaticFilesConfig.MaxAge"/>
    public TimeSpan MaxAge { get; set; }

    /// <inheritdoc cref="StaticFilesConfig.ImmutableFiles"/>
    public IList<string> ImmutableFiles { get; }

    /// <inheritdoc cref="StaticFilesConfig.ImmutablePaths"/>
    public IList<string> ImmutablePaths { get; }

    /// <inheritdoc cref="StaticFilesConfig.CacheControl"/>
    public string CacheControl { get; set; }

    /// <inheritdoc cref="StaticFilesConfig.Precompressed"/>
    public IList<string> Precompressed { get; }

    /// <inheritdoc cref="StaticFilesConfig.SymbolicLinks"/>
    public SymbolicLinkPolicy SymbolicLinks { get; set; }

    /// <inheritdoc cref="StaticFilesConfig.DenyDotPaths"/>
    public bool DenyDotPaths { get; set; }

    /// <inheritdoc cref="StaticFilesConfig.DeniedFiles"/>
    public IList<string> DeniedFiles { get; }

    /// <inheritdoc cref="StaticFilesConfig.AllowedFiles"/>
    public IList<string> AllowedFiles { get; }

    /// <inheritdoc cref="StaticFilesConfig.ContentTypes"/>
    public IDictionary<string, string> ContentTypes { get; }

    internal StaticFilesConfig ToConfig() => new()
    {
        Root = Root,
        IndexFiles = IndexFiles.ToValueList(),
        Fallback = Fallback,
        NoFallbackPaths = NoFallbackPaths.ToValueList(),
        MaxAge = MaxAge,
        ImmutableFiles = ImmutableFiles.ToValueList(),
        ImmutablePaths = ImmutablePaths.ToValueList(),
        CacheControl = CacheControl,
        Precompressed = Precompressed.ToValueList(),
        SymbolicLinks = SymbolicLinks,
        DenyDotPaths = DenyDotPaths,
        DeniedFiles = DeniedFiles.ToValueList(),
        AllowedFiles = AllowedFiles.ToValueList(),
        ContentTypes = new(ContentTypes),
    };
}
