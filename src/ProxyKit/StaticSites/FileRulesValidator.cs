using Microsoft.Net.Http.Headers;

namespace ProxyKit.StaticSites;

/// <summary>The part of validation that sites and static files have in common.</summary>
internal static class FileRulesValidator
{
    public static void Validate(string where, ValueList<string> denied, ValueList<string> allowed, ValueMap types, RouteConfig route, List<string> errors)
    {
        ValidateNames($"{where}: DeniedFiles", denied, "with * for anything: *.map", errors);
        foreach (var name in allowed)
        {
            if (!IsName(name))
                errors.Add($"{where}: AllowedFiles: '{name}' is not the name of a file, with * for anything: *.yaml.");
            else if (name.AsSpan().IndexOfAnyExcept('*', '?', '.') < 0)
                errors.Add($"{where}: AllowedFiles: '{name}' would allow everything. Name what is meant: openapi.yaml, *.yaml.");
            else if (FileRules.IsScriptLike(name, (route.FastCgi ?? new()).Extensions))
                errors.Add($"{where}: AllowedFiles: '{name}' is a script, and the source of scripts is never served.");
        }
        foreach (var (extension, type) in types)
        {
            if (extension.Length < 2 || extension[0] != '.' || !IsName(extension))
                errors.Add($"{where}: ContentTypes: '{extension}' is not an extension such as .glb.");
            if (!MediaTypeHeaderValue.TryParse(type, out _))
                errors.Add($"{where}: ContentTypes: '{type}' for {extension} is not a content type such as model/gltf-binary.");
        }
    }

    public static void ValidateNames(string where, ValueList<string> names, string example, List<string> errors)
    {
        foreach (var name in names.Where(name => !IsName(name)))
            errors.Add($"{where}: '{name}' is not the name of a file, {example}.");
    }

    public static void ValidateFolders(string where, ValueList<string> folders, string example, List<string> errors)
    {
        foreach (var path in folders.Where(path => path.Length < 3 || path[0] != '/' || path[^1] != '/' || !IsRelative(path.Trim('/'))))
            errors.Add($"{where}: '{path}' is not a folder such as {example}, with a slash on both sides.");
    }

    public static bool IsRelative(string path)
    {
        foreach (var segment in path.Split('/'))
        {
            if (!IsName(segment))
                return false;
        }
        return true;
    }

    private static bool IsName(string name) => name.Length > 0 && !name.Contains('/', StringComparison.Ordinal) && name is not ("." or "..");
}
