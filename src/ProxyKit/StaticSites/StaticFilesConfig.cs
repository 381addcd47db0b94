namespace ProxyKit;

/// <summary>
/// Files below a folder are answered by the proxy, before the upstream is asked. nginx: <c>root</c> with <c>try_files $uri @app</c>; Caddy: <c>file_server</c> with
/// <c>pass_thru</c>.
/// </summary>
public sealed record StaticFilesConfig
{
    /// <summary>
    /// The folder of the files; a relative path starts at the app's content root. A file's path is what follows the part of the route's pattern before its catch-all. It must be
    /// there at start-up. Default: <c>wwwroot</c>. nginx: <c>root</c>; below a prefix <c>alias</c>.
    /// </summary>
    public string Root { get; init; } = "wwwroot";

    /// <summary>
    /// What answers for a folder, the first that is there; one that is asked for without its slash is a redirect. Default: none; folders are the upstream's. nginx:
    /// <c>index</c>.
    /// </summary>
    public ValueList<string> IndexFiles { get; init; } = [];

    /// <summary>
    /// The file below the root that answers pages' addresses that name no file: GET and HEAD with an <c>Accept</c> that has <c>text/html</c>, and no dot in the last segment. For
    /// applications that run in the browser and have addresses of their own. Default: none; the upstream answers. nginx: the last part of <c>try_files</c>.
    /// </summary>
    public string? Fallback { get; init; }

    /// <summary>
    /// Folders in which <see cref="Fallback"/> leaves everything to the upstream, each with a slash on both sides. Default: <c>/api/</c>.
    /// </summary>
    public ValueList<string> NoFallbackPaths { get; init; } = ["/api/"];

    /// <summary>
    /// How long files that never change may be kept by browsers and caches: styles, scripts, fonts, pictures, sound and film with a version in the URL (a hash in the name,
    /// <c>app.3f2a9c1b.js</c>, or <c>?v=3</c>), and those of <see cref="ImmutableFiles"/> and <see cref="ImmutablePaths"/>. Zero: each use is checked. 0 to 10 years.
    /// Default: 365 days. nginx: <c>expires 1y</c>.
    /// </summary>
    public TimeSpan MaxAge { get; init; } = TimeSpan.FromDays(365);

    /// <summary>Names of further files that never change, with <c>*</c> for anything: <c>*.woff2</c>. Default: none.</summary>
    public ValueList<string> ImmutableFiles { get; init; } = [];

    /// <summary>Folders whose files never change, each with a slash on both sides: <c>/assets/</c>, where Vite puts what has a hash in its name. Default: none.</summary>
    public ValueList<string> ImmutablePaths { get; init; } = [];

    /// <summary>
    /// What <c>Cache-Control</c> says of all other files; empty for nothing. Default: <c>no-cache</c>; they are kept, and asked for each time with their <c>ETag</c>.
    /// </summary>
    public string CacheControl { get; init; } = "no-cache";

    /// <summary>
    /// The encodings in which a file may lie beside itself, compressed beforehand: <c>br</c> for <c>app.js.br</c>, <c>zstd</c> for <c>app.js.zst</c>, <c>gzip</c> for
    /// <c>app.js.gz</c>. Of those that a client likes best the first is sent. Default: all three, in this order; empty for none. nginx: <c>gzip_static</c>; Caddy:
    /// <c>precompressed</c>.
    /// </summary>
    public ValueList<string> Precompressed { get; init; } = ["br", "zstd", "gzip"];

    /// <summary>Where symbolic links below the root may lead. Default: <see cref="SymbolicLinkPolicy.WithinRoot"/>. nginx: <c>disable_symlinks</c>.</summary>
    public SymbolicLinkPolicy SymbolicLinks { get; init; } = SymbolicLinkPolicy.WithinRoot;

    /// <summary>
    /// Whether paths with a segment that begins with a dot are 404, <c>/.well-known/</c> excepted. If not, the upstream answers them; files of such names are never served.
    /// Default: true. nginx: <c>location ~ /\. { deny all; }</c>.
    /// </summary>
    public bool DenyDotPaths { get; init; } = true;

    /// <summary>
    /// Names of further files that are not served, with <c>*</c> for anything: <c>*.map</c>. What is never served in any case: scripts in any spelling, names that begin with a
    /// dot, and <see cref="SiteConfig.DefaultDeniedFiles"/>. Default: none. Caddy: <c>hide</c>.
    /// </summary>
    public ValueList<string> DeniedFiles { get; init; } = [];

    /// <summary>Names of files that are served although <see cref="SiteConfig.DefaultDeniedFiles"/> or their extension speak against it, such as <c>openapi.yaml</c>. Default: none.</summary>
    public ValueList<string> AllowedFiles { get; init; } = [];

    /// <summary>
    /// Content types of further extensions, or other ones for known extensions: <c>.glb</c> to <c>model/gltf-binary</c>. A file whose extension has no content type is not
    /// served. Default: none; ASP.NET Core's own list holds, and <c>.br</c> and <c>.zst</c>. nginx: <c>types</c>.
    /// </summary>
    public ValueMap ContentTypes { get; init; } = ValueMap.Empty;
}
