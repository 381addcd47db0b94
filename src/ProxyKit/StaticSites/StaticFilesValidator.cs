using Microsoft.Net.Http.Headers;
using ProxyKit.Configuration;
using ProxyKit.Forwarding;

namespace ProxyKit.StaticSites;

/// <summary>The part of validation that concerns static files.</summary>
internal static class StaticFilesValidator
{
    public static void Validate(string where, RouteConfig route, ContentFiles files, List<string> errors)
    {
        if (route.StaticFiles is not { } config)
            return;
        where += ": StaticFiles";
        ValidateRoot(where, config.Root, files, errors);
        FileRulesValidator.ValidateNames($"{where}: IndexFiles", config.IndexFiles, "such as index.html", errors);
        if (config.Fallback is { } fallback && (!FileRulesValidator.IsRelative(fallback) || !files.Exists(Path.Join(config.Root, fallback))))
            errors.Add($"{where}: Fallback '{fallback}' is not a file below the root '{config.Root}', such as index.html.");
        FileRulesValidator.ValidateFolders($"{where}: NoFallbackPaths", config.NoFallbackPaths, "/api/", errors);
        if (config.MaxAge < TimeSpan.Zero || config.MaxAge > TimeSpan.FromDays(3650))
            errors.Add($"{where}: MaxAge is {config.MaxAge}; it must be 0 to 3650 days.");
        FileRulesValidator.ValidateNames($"{where}: ImmutableFiles", config.ImmutableFiles, "with * for anything: *.woff2", errors);
        FileRulesValidator.ValidateFolders($"{where}: ImmutablePaths", config.ImmutablePaths, "/assets/", errors);
        if (config.CacheControl.Length > 0 && (RequestGuard.HasControls(config.CacheControl) || !CacheControlHeaderValue.TryParse(config.CacheControl, out _)))
            errors.Add($"{where}: CacheControl '{config.CacheControl}' is not what that header may say, such as no-cache or public, max-age=3600; empty for nothing.");
        foreach (var encoding in config.Precompressed)
        {
            if (Precompressed.Extension(encoding) is null)
                errors.Add($"{where}: Precompressed: '{encoding}' is not known; it must be br, zstd or gzip.");
        }
        FileRulesValidator.Validate(where, config.DeniedFiles, config.AllowedFiles, config.ContentTypes, route, errors);
    }

    private static void ValidateRoot(string where, string root, ContentFiles files, List<string> errors)
    {
        if (root.Length == 0 || !files.FolderExists(root))
        {
            errors.Add($"{where}: Root: the folder '{root}' does not exist. It must be there at start-up, an absolute path or one below the app's content root.");
            return;
        }
        var path = Path.GetFullPath(files.Resolve(root));
        if (Path.GetPathRoot(path) == path)
            errors.Add($"{where}: Root: '{root}' is the whole machine; name the folder that holds the files.");
        // Its assemblies have content types.
        else if (AppContext.BaseDirectory.StartsWith(Path.TrimEndingDirectorySeparator(path) + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            errors.Add($"{where}: Root: '{root}' holds the program itself, {AppContext.BaseDirectory}; name a folder that holds nothing but the files, such as wwwroot.");
    }
}
