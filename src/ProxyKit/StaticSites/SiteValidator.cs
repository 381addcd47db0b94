using ProxyKit.Transforms;

namespace ProxyKit.StaticSites;

/// <summary>The part of validation that concerns sites.</summary>
internal static class SiteValidator
{
    public static void Validate(string where, RouteConfig route, List<string> errors)
    {
        if (route.Site is not { Enabled: true } site)
            return;
        where += ": Site";
        ValidateRoot(where, route, site, errors);
        if (site.FrontController.Length > 0 && !FileRulesValidator.IsRelative(site.FrontController))
            errors.Add($"{where}: FrontController '{site.FrontController}' is not a script below the root, such as index.php or public/index.php; empty for none.");
        else if (site.FrontController.Length > 0 && route.FastCgi is { Extensions: { Count: > 0 } extensions } && !extensions.Any(e => site.FrontController.EndsWith(e, StringComparison.OrdinalIgnoreCase)))
            errors.Add($"{where}: FrontController '{site.FrontController}' is not a script: FastCgi.Extensions are {string.Join(", ", extensions)}. Empty for none.");
        if (route.Transforms.Any(t => t is PathPrefixTransform or PathRemovePrefixTransform or PathSetTransform or PathPatternTransform))
            errors.Add($"{where}: transforms of the path do not go with it, because files and scripts are found by the path that the client sent. What stands before the pattern's catch-all is taken off anyway: /blog of /blog/{{**path}}, or app.MapGroup(\"/blog\").MapPhp(…).");
        FileRulesValidator.ValidateNames($"{where}: IndexFiles", site.IndexFiles, "such as index.php", errors);
        FileRulesValidator.ValidateFolders($"{where}: NoScriptPaths", site.NoScriptPaths, "/uploads/", errors);
        if (site.AssetMaxAge < TimeSpan.Zero || site.AssetMaxAge > TimeSpan.FromDays(3650))
            errors.Add($"{where}: AssetMaxAge is {site.AssetMaxAge}; it must be 0 to 3650 days.");
        FileRulesValidator.Validate(where, site.DeniedFiles, site.AllowedFiles, site.ContentTypes, route, errors);
    }

    private static void ValidateRoot(string where, RouteConfig route, SiteConfig site, List<string> errors)
    {
        if (string.IsNullOrEmpty(route.FastCgi?.Root))
            errors.Add($"{where} needs FastCgi.Root, the folder of the site.");
        else if ((site.LocalRoot ?? route.FastCgi.Root) is var root && !Path.IsPathFullyQualified(root))
            errors.Add($"{where}: the root '{root}' is not an absolute path.");
        else if ((site.LocalRoot is not null || !route.FastCgi.CheckScript) && !Directory.Exists(root))
            errors.Add($"{where}: there is no folder '{root}' here. If the application sees the site under another path than this process, say LocalRoot.");
        if (site.LocalRoot is not null && route.FastCgi is { ResolveRoot: true })
            errors.Add($"{where}: LocalRoot and FastCgi.ResolveRoot exclude each other: where links lead is known only here.");
    }
}
