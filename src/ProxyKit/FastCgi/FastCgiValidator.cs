using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>The part of validation that concerns a route's site.</summary>
internal static class FastCgiValidator
{
    private const string Names = "a letter or an underscore, then letters, digits and underscores";

    /// <param name="where">Names the route.</param>
    /// <param name="route">The route.</param>
    /// <param name="clusters">All clusters.</param>
    /// <param name="errors">Where errors go.</param>
    public static void Validate(string where, RouteConfig route, IReadOnlyList<ClusterConfig> clusters, List<string> errors)
    {
        if (route.FastCgi is not { } site)
            return;
        var own = clusters.Where(c => IsNamed(route, c.ClusterId)).ToArray();
        // What is no address at all has been said of the cluster.
        if (!own.Any(HttpHandlerFactory.IsFastCgi) && own.FirstOrDefault(c => c.Destinations.Any(d => DestinationAddress.TryParse(d.Address, out _))) is { } http)
            errors.Add($"{where} has FastCgi, but cluster '{http.ClusterId}' speaks HTTP. Write fastcgi://host:9000 or fastcgi://unix:/path/to/socket for its destinations, or take FastCgi away.");

        where += ": FastCgi";
        ValidateRoot(where, site, route.Site is { Enabled: true } files ? files : null, errors);
        var bad = site.Extensions.Where(e => e.Length < 2 || e[0] != '.' || e.AsSpan().ContainsAny('/', '\\')).ToArray();
        foreach (var extension in bad)
            errors.Add($"{where}: Extensions: '{extension}' is not the end of a file's name. It begins with a dot, such as .php.");
        if (site.Extensions.Count == 0)
            errors.Add($"{where}: Extensions are empty. Name at least one, such as .php.");
        else if (bad.Length == 0 && (site.Index.AsSpan().ContainsAny('/', '\\') || !site.Extensions.Any(e => site.Index.Length > e.Length && site.Index.EndsWith(e, StringComparison.OrdinalIgnoreCase))))
            errors.Add($"{where}: Index '{site.Index}' is not the name of a script. Allowed are file names that end with {string.Join(" or ", site.Extensions)}.");

        foreach (var name in site.Parameters.Keys.Concat(site.ComputedParameters.Select(p => p.Key)))
        {
            if (!IsName(name))
                errors.Add($"{where}: Parameters: '{name}' is not the name of a parameter: {Names}.");
            else if (name.Equals("CONTENT_LENGTH", StringComparison.OrdinalIgnoreCase))
                errors.Add($"{where}: Parameters: CONTENT_LENGTH cannot be set. It is the body's length, and an application would wait for what is missing.");
        }
        foreach (var group in site.Parameters.Keys.Concat(site.ComputedParameters.Select(p => p.Key)).GroupBy(n => n, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1))
            errors.Add($"{where}: the parameter '{group.Key}' has two values. Give it one.");
    }

    private static bool IsNamed(RouteConfig route, string clusterId) =>
        clusterId.Equals(route.ClusterId, StringComparison.OrdinalIgnoreCase)
        || clusterId.Equals(route.Mirror?.ClusterId, StringComparison.OrdinalIgnoreCase)
        || (route.Split is { } split && split.Clusters.Any(c => c.ClusterId.Equals(clusterId, StringComparison.OrdinalIgnoreCase)));

    private static void ValidateRoot(string where, FastCgiConfig site, SiteConfig? files, List<string> errors)
    {
        if (!site.CheckScript && site.ResolveRoot)
            errors.Add($"{where}: ResolveRoot needs the files that CheckScript: false says are not here.");
        if (!site.CheckScript && site.SymbolicLinks != SymbolicLinkPolicy.Follow)
            errors.Add($"{where}: SymbolicLinks: {site.SymbolicLinks} needs the files that CheckScript: false says are not here.");
        if (site.Root is not { } root)
            return;
        if (!IsAbsolute(root) || root.AsSpan().IndexOfAnyInRange('\0', '\u001f') >= 0)
            errors.Add($"{where}: Root '{root}' is not an absolute path, such as /var/www/html.");
        else if (site.CheckScript && files?.LocalRoot is null && !Directory.Exists(root))
            errors.Add($"{where}: {(File.Exists(root) ? $"'{root}' (Root) is a file, not a folder." : $"there is no folder '{root}' (Root).")} If the application runs on another machine, or sees its files elsewhere, {(files is null ? "set CheckScript to false; then scripts are not looked for." : "say in Site.LocalRoot where they are here.")}");
    }

    private static bool IsAbsolute(string root) =>
        root.Length > 0 && (root[0] == '/' || root.StartsWith(@"\\", StringComparison.Ordinal) || root is [_, ':', '\\' or '/', ..]);

    private static bool IsName(string name)
    {
        if (name.Length == 0 || char.IsAsciiDigit(name[0]))
            return false;
        foreach (var c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c != '_')
                return false;
        }
        return true;
    }
}
