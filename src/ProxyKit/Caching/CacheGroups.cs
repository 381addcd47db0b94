using Microsoft.AspNetCore.Http;

namespace ProxyKit.Caching;

/// <summary>Cache groups (RFC 9875).</summary>
internal static class CacheGroups
{
    /// <summary>The tags of the groups that a response makes invalid (<c>Cache-Group-Invalidation</c>), of the request's origin.</summary>
    public static IReadOnlyList<string> Invalidated(HttpRequest request, IHeaderDictionary response) => throw new NotImplementedException();
}
