namespace ProxyKit;

/// <summary>
/// A whole site in front of a FastCGI application: files below <see cref="FastCgiConfig.Root"/> are answered by the proxy, scripts by the application, and all that is
/// neither by the front controller. nginx: <c>try_files $uri $uri/ /index.php</c> with its <c>location</c> blocks; Caddy: <c>php_fastcgi</c> and <c>file_server</c>.
/// </summary>
public sealed record SiteConfig
{
    /// <summary>Whether the proxy does any of it; if not, the application gets every request. Default: true.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>
    /// The root as the proxy sees it, an absolute path, if that is another one than the application sees (two containers with different mounts). Default: none; both see
    /// <see cref="FastCgiConfig.Root"/>.
    /// </summary>
    public string? LocalRoot { get; init; }

    /// <summary>
    /// The script that answers for paths that name neither a file nor a script, below the root; it finds the path in <c>REQUEST_URI</c>. Empty for none: 404 then. Default:
    /// <c>index.php</c>. nginx: the last part of <c>try_files</c>.
    /// </summary>
    public string FrontController { get; init; } = "index.php";

    /// <summary>
    /// What answers for a folder, the first that is there. A folder that has one and is asked for without its slash is a redirect. Default: <c>index.php</c>,
    /// <c>index.html</c>. nginx: <c>index</c>.
    /// </summary>
    public ValueList<string> IndexFiles { get; init; } = ["index.php", "index.html"];

    /// <summary>
    /// Folders whose scripts are never run but 404, because visitors' files end up there; files in them are served. Each begins and ends with a slash, and holds wherever in
    /// a path it stands. Upper and lower case are the same. Default: <c>/wp-content/uploads/</c>, <c>/sites/default/files/</c>.
    /// </summary>
    public ValueList<string> NoScriptPaths { get; init; } = ["/wp-content/uploads/", "/sites/default/files/"];

    /// <summary>
    /// How long styles, scripts, fonts, pictures, sound and film may be kept by browsers and caches; <c>immutable</c> is added when the URL carries a version. Zero: each use
    /// is checked, as it is for all other files. 0 to 10 years. Default: 365 days. nginx: <c>expires 1y</c>.
    /// </summary>
    public TimeSpan AssetMaxAge { get; init; } = TimeSpan.FromDays(365);

    /// <summary>
    /// Names of further files that are not served, with <c>*</c> for anything: <c>*.map</c>. What is never served in any case: scripts in any spelling, names that begin with a
    /// dot, and <see cref="DefaultDeniedFiles"/>. Default: none. Caddy: <c>hide</c>.
    /// </summary>
    public ValueList<string> DeniedFiles { get; init; } = [];

    /// <summary>Names of files that are served although <see cref="DefaultDeniedFiles"/> or their extension speak against it, such as <c>openapi.yaml</c>. Default: none.</summary>
    public ValueList<string> AllowedFiles { get; init; } = [];

    /// <summary>
    /// Content types of further extensions, or other ones for known extensions: <c>.glb</c> to <c>model/gltf-binary</c>. A file whose extension has no content type is not
    /// served. Default: none; ASP.NET Core's own list holds. nginx: <c>types</c>.
    /// </summary>
    public ValueMap ContentTypes { get; init; } = ValueMap.Empty;

    /// <summary>The names that are not served unless <see cref="AllowedFiles"/> has them: configuration, dependencies' lists, data, keys, logs, backups.</summary>
    public static ValueList<string> DefaultDeniedFiles { get; } =
    [
        "composer.*", "auth.json", "package.json", "package-lock.json", "*.lock", "phpunit*", "wp-config*", "LocalSettings*", "appsettings*.json", "web.config",
        "Dockerfile*", "docker-compose*", "Makefile", "Vagrantfile",
        "*.yml", "*.yaml", "*.toml", "*.neon", "*.ini", "*.conf", "*.cnf", "*.config", "*.env", "*.env.*", "*.dist", "*.htaccess", "*.htpasswd",
        "*.inc", "*.inc.*", "*.tpl", "*.twig", "*.sh", "*.cgi", "*.pl", "*.py", "*.rb", "*.asp*", "*.jsp*", "*.cs",
        "*.sql", "*.sql.*", "*.sqlite*", "*.db", "*.mdb", "*.dump", "*.log", "*.log.*", "error_log",
        "*.key", "*.pem", "*.pfx", "*.p12", "*.ppk", "id_rsa*",
        "*~", "#*", "*.bak*", "*.bkp", "*.backup", "*.old", "*.orig", "*.save", "*.swp", "*.swo", "*.tmp", "*.rej",
    ];
}
