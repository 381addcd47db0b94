using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;

namespace ProxyKit.StaticSites;

/// <summary>The part of a path that stands before the catch-all of the route's pattern: <c>/blog</c> of <c>/blog/{**path}</c>, the group's prefix included.</summary>
internal static class RoutePrefix
{
    /// <param name="context">The request, whose endpoint has the pattern.</param>
    /// <param name="path">The path that the pattern has matched.</param>
    public static int Length(HttpContext context, string path)
    {
        if (context.GetEndpoint() is not RouteEndpoint { RoutePattern.PathSegments: { Count: > 1 } segments }
            || segments[^1].Parts[^1] is not RoutePatternParameterPart { IsCatchAll: true })
            return 0;
        var length = 0;
        for (var i = 1; i < segments.Count && length < path.Length; i++)
        {
            length = path.IndexOf('/', length + 1);
            if (length < 0)
                return path.Length;
        }
        return length;
    }
}
