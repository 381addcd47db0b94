using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Forwarding;

namespace ProxyKit.Caching;

/// <summary>
/// A request's header fields as the cache compares them: as the upstream is sent them, so that a field that the upstream never sees, or sees with another value, tells no responses apart that it does not.
/// </summary>
internal readonly struct RequestFields(HttpContext context, UpstreamFields? upstream, bool checksCoding = false)
{
    // Registered codings. A response with another name has no coding that a client could accept, and is passed on as it is.
    private static readonly FrozenSet<string> s_codings = FrozenSet.ToFrozenSet(["gzip", "x-gzip", "br", "zstd", "deflate", "compress", "x-compress"], StringComparer.OrdinalIgnoreCase);

    public StringValues this[string name] => upstream is null ? context.Request.Headers[name] : upstream.Get(context, name);

    /// <summary>Whether it is known what the upstream would be sent.</summary>
    public bool IsKnown(string name) => upstream is null || upstream.IsKnown(name);

    /// <summary>Whether the request refuses the coding of a response.</summary>
    public bool Refuses(CachedResponseHead head)
    {
        if (!checksCoding || context.Request.Headers.AcceptEncoding is not { Count: > 0 } accepted)
            return false;
        foreach (var coding in new FieldList(StoredHeaders.Get(head, "Content-Encoding")))
        {
            if (s_codings.Contains(coding.ToString()) && Compression.AcceptEncoding.Quality(accepted, coding.ToString()) == 0)
                return true;
        }
        return false;
    }

    public static implicit operator RequestFields(HttpRequest request) => new(request.HttpContext, null);
}
