using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Forwarding;

namespace ProxyKit.Caching;

/// <summary>
/// A request's header fields as the cache compares them: as the upstream is sent them, so that a field that the upstream never sees, or sees with another value, tells no responses apart that it does not.
/// </summary>
internal readonly struct RequestFields(HttpContext context, UpstreamFields? upstream)
{
    public StringValues this[string name] => upstream is null ? context.Request.Headers[name] : upstream.Get(context, name);

    public static implicit operator RequestFields(HttpRequest request) => new(request.HttpContext, null);
}
