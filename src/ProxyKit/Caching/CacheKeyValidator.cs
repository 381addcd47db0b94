using ProxyKit.Configuration;

namespace ProxyKit.Caching;

/// <summary>The part of validation that concerns keys and conditions: names of fields, cookies and query parameters, beginnings of paths.</summary>
internal static class CacheKeyValidator
{
    public static void Validate(string where, CacheKeyConfig key, List<string> errors)
    {
        ValidateFields(where, key.Headers, errors);
        // Taken for a beginning, it would be no part of the key at all, and one visitor would get another's response.
        ValidateNames($"{where}.Cookies", key.Cookies, Tokens.IsToken, "cookie", allowsBeginnings: false, errors);
        ValidateNames($"{where}.IgnoredQueryParameters", key.IgnoredQueryParameters, IsQueryName, "query parameter", allowsBeginnings: true, errors);
        if (key.QueryParameters is not { } only)
            return;
        ValidateNames($"{where}.QueryParameters", only, IsQueryName, "query parameter", allowsBeginnings: false, errors);
        if (key.IgnoredQueryParameters.Count > 0)
            errors.Add($"{where}.QueryParameters ({string.Join(", ", only)}) and Key.IgnoredQueryParameters ({string.Join(", ", key.IgnoredQueryParameters)}) exclude each other: with the first, all others are ignored.");
    }

    public static void Validate(string where, CacheConditionConfig condition, List<string> errors)
    {
        ValidateFields(where, condition.Headers, errors);
        ValidateNames($"{where}.Cookies", condition.Cookies, Tokens.IsToken, "cookie", allowsBeginnings: true, errors);
        ValidateNames($"{where}.QueryParameters", condition.QueryParameters, IsQueryName, "query parameter", allowsBeginnings: false, errors);
        foreach (var path in condition.Paths)
        {
            if (!path.StartsWith('/') || path.Contains('*', StringComparison.Ordinal))
                errors.Add($"{where}.Paths: '{path}' is not the beginning of a path, such as /admin.");
        }
    }

    private static void ValidateFields(string where, ValueList<string> names, List<string> errors)
    {
        foreach (var name in names)
        {
            if (!Tokens.IsToken(name))
                errors.Add($"{where}.Headers: '{name}' is not a field name.");
        }
    }

    private static void ValidateNames(string where, ValueList<string> names, Func<string, bool> isName, string what, bool allowsBeginnings, List<string> errors)
    {
        foreach (var name in names)
        {
            if (!isName(name))
                errors.Add($"{where}: '{name}' is not the name of a {what}.");
            else if (!allowsBeginnings && name.EndsWith('*'))
                errors.Add($"{where}: '{name}' ends in *, and only whole names are allowed here.");
        }
    }

    private static bool IsQueryName(string name) => name.Length > 0 && !name.AsSpan().ContainsAny("=&#? ");
}
