using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>A response's <c>No-Vary-Search</c> (draft-ietf-httpbis-no-vary-search): which parts of the query do not matter.</summary>
internal sealed record NoVarySearch
{
    /// <summary>Null when there is none, it does not parse, or it says that everything matters.</summary>
    public static NoVarySearch? Parse(StringValues lines) => throw new NotImplementedException();

    /// <summary>One text for all queries that mean the same; beginning with <c>?</c> if not empty.</summary>
    public string Normalize(string query) => throw new NotImplementedException();
}
