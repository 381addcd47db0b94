using Microsoft.AspNetCore.Http;

namespace ProxyKit.Caching;

/// <summary>A <see cref="CacheConditionConfig"/>, asked at each request.</summary>
internal static class CacheCondition
{
    /// <summary>Null if the condition can never hold.</summary>
    public static Func<HttpContext, bool>? Compile(CacheConditionConfig config)
    {
        if (config is { Headers.Count: 0, Cookies.Count: 0, QueryParameters.Count: 0, Paths.Count: 0 })
            return config.When;
        return context => Holds(config, context) || config.When?.Invoke(context) == true;
    }

    private static bool Holds(CacheConditionConfig config, HttpContext context)
    {
        var request = context.Request;
        foreach (var name in config.Headers.AsSpan())
        {
            if (request.Headers.ContainsKey(name))
                return true;
        }
        if (config.Cookies.Count > 0)
        {
            foreach (var (name, _) in request.Cookies)
            {
                if (NamePattern.MatchesAny(config.Cookies, name, StringComparison.Ordinal))
                    return true;
            }
        }
        if (config.QueryParameters.Count > 0)
        {
            foreach (var (name, _) in request.Query)
            {
                if (config.QueryParameters.Contains(name))
                    return true;
            }
        }
        foreach (var path in config.Paths.AsSpan())
        {
            if (request.Path.Value?.StartsWith(path, StringComparison.OrdinalIgnoreCase) == true)
                return true;
        }
        return false;
    }
}
