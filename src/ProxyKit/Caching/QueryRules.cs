namespace ProxyKit.Caching;

/// <summary>Which parts of a query tell resources apart.</summary>
internal static class QueryRules
{
    /// <summary>What is left of a query, beginning with <c>?</c> if it is not empty. Values are compared as they are sent, not decoded.</summary>
    public static string Apply(string query, CacheKeyConfig config)
    {
        if (query.Length <= 1)
            return "";
        var kept = new List<string>();
        foreach (var parameter in query[1..].Split('&'))
        {
            var end = parameter.IndexOf('=', StringComparison.Ordinal);
            // Decoded, as the upstream reads it: %69d is id.
            var name = Uri.UnescapeDataString((end < 0 ? parameter : parameter[..end]).Replace('+', ' '));
            if (config.QueryParameters is { } counted ? counted.Contains(name) : !NamePattern.MatchesAny(config.IgnoredQueryParameters, name, StringComparison.Ordinal))
                kept.Add(parameter);
        }
        if (kept.Count == 0)
            return "";
        if (config.SortQuery)
            kept.Sort(StringComparer.Ordinal);
        return "?" + string.Join('&', kept);
    }
}

/// <summary>Names that may end in <c>*</c>, for all that begin so.</summary>
internal static class NamePattern
{
    public static bool MatchesAny(ValueList<string> patterns, string name, StringComparison comparison)
    {
        foreach (var pattern in patterns.AsSpan())
        {
            if (pattern.Length > 0 && pattern[^1] == '*' ? name.AsSpan().StartsWith(pattern.AsSpan(0, pattern.Length - 1), comparison) : name.Equals(pattern, comparison))
                return true;
        }
        return false;
    }
}
