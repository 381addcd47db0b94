using ProxyKit.Configuration;

namespace ProxyKit.InternalRedirects;

/// <summary>The part of validation that concerns answers in the upstream's place: files and intercepted errors.</summary>
internal static class InternalRedirectValidator
{
    public static void Validate(string where, RouteConfig route, ContentFiles files, List<string> errors)
    {
        if (route.InterceptErrors is { } statuses && (!StatusRanges.TryParse(statuses, out var ranges) || Enumerable.Range(100, 300).Any(ranges.Contains)))
            errors.Add($"{where}: InterceptErrors '{statuses}' is not allowed; it must be status codes and ranges of them from 400 to 599, such as 404,500-599.");
        foreach (var (prefix, folder) in route.InternalRedirects)
        {
            // As the file's path is compared after it has been made plain, so must this be.
            if (prefix.TrimEnd('/') is not { } path || prefix.Length == 0 || prefix[0] != '/' || prefix.AsSpan().ContainsAny('%', '?', '\\') || (path.Length > 0 && InternalPath.Parse(path) != path))
                errors.Add($"{where}: InternalRedirects: '{prefix}' is not the beginning of a path, such as /protected/; it is written decoded, with no query and no dots.");
            ValidateFolder($"{where}: InternalRedirects", folder, files, errors);
        }
        foreach (var folder in route.SendFile)
            ValidateFolder($"{where}: SendFile", folder, files, errors);
    }

    private static void ValidateFolder(string where, string folder, ContentFiles files, List<string> errors)
    {
        if (!files.FolderExists(folder))
            errors.Add($"{where}: the folder '{folder}' does not exist.");
        else if (Path.GetPathRoot(files.Resolve(folder)) == Path.GetFullPath(files.Resolve(folder)))
            errors.Add($"{where}: '{folder}' is the whole machine; name the folder that holds the files.");
    }
}
