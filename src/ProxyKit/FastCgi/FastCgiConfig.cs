using Microsoft.AspNetCore.Http;

namespace ProxyKit;

/// <summary>
/// A site behind FastCGI: which script answers which request, and what it is told (RFC 3875). The connections are the cluster's: <see cref="FastCgiConnectionConfig"/>.
/// </summary>
public sealed record FastCgiConfig
{
    /// <summary>
    /// The folder of the scripts, an absolute path as the FastCGI application sees it; <c>DOCUMENT_ROOT</c>. Default: none; then the application is one script, which
    /// gets each path as <c>PATH_INFO</c>. nginx: <c>root</c>.
    /// </summary>
    public string? Root { get; init; }

    /// <summary>The script of a path that ends with a slash. Default: <c>index.php</c>. nginx: <c>fastcgi_index</c>.</summary>
    public string Index { get; init; } = "index.php";

    /// <summary>
    /// What the names of scripts end with. The path is split after the first name that does; the rest is <c>PATH_INFO</c>. Upper and lower case of A to Z are the same.
    /// Default: <c>.php</c>. nginx: <c>fastcgi_split_path_info</c>; Caddy: <c>split</c>.
    /// </summary>
    public ValueList<string> Extensions { get; init; } = [".php"];

    /// <summary>
    /// Whether the script is looked for before the application is asked: it must be a regular file below <see cref="Root"/>, or the answer is 404. Switch it off only if the
    /// application runs on another machine or in another file system. Default: true. nginx: <c>try_files $fastcgi_script_name =404</c>.
    /// </summary>
    public bool CheckScript { get; init; } = true;

    /// <summary>
    /// Whether symbolic links in the root's own path are resolved at each request, so that an application that caches files by name sees a new deployment at once. Default: false.
    /// nginx: <c>$realpath_root</c>; Caddy: <c>resolve_root_symlink</c>.
    /// </summary>
    public bool ResolveRoot { get; init; }

    /// <summary>Where symbolic links below the root may lead; needs <see cref="CheckScript"/>. Default: <see cref="SymbolicLinkPolicy.Follow"/>. nginx: <c>disable_symlinks</c>.</summary>
    public SymbolicLinkPolicy SymbolicLinks { get; init; }

    /// <summary>
    /// Parameters whose values are made for each request, by name; they go before <see cref="Parameters"/>. No value, or an empty one, takes the parameter away. Only code
    /// has them. Default: none.
    /// </summary>
    public ValueList<KeyValuePair<string, Func<HttpContext, string?>>> ComputedParameters { get; init; } = [];

    /// <summary>Further parameters, or other values for the usual ones: name to value. An empty value takes one away. Default: none. nginx: <c>fastcgi_param</c>.</summary>
    public ValueMap Parameters { get; init; } = ValueMap.Empty;
}
