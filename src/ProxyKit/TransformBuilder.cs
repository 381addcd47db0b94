using ProxyKit.Transforms;

namespace ProxyKit;

/// <summary>
/// Collects a route's transforms. They are compiled at start-up and run in the order in which they stand: first the forwarding headers, then these, then the
/// delegates (<see cref="OnRequest"/>), which are handed the message as it will be sent.
/// </summary>
public sealed class TransformBuilder
{
    private readonly List<Transform> _transforms = [];

    private TransformBuilder()
    {
    }

    /// <summary>The transforms that <paramref name="configure"/> asks for, for a <see cref="RouteConfig"/> made in code.</summary>
    public static ValueList<Transform> Build(Action<TransformBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var builder = new TransformBuilder();
        configure(builder);
        return builder._transforms.ToValueList();
    }

    /// <summary>Puts <paramref name="prefix"/> in front of the path.</summary>
    public TransformBuilder AddPathPrefix(string prefix) => Add(new PathPrefixTransform(NotNull(prefix)));

    /// <summary>Takes <paramref name="prefix"/> off the front of the path, where it stands there. nginx: <c>proxy_pass</c> with a URI.</summary>
    public TransformBuilder RemovePathPrefix(string prefix) => Add(new PathRemovePrefixTransform(NotNull(prefix)));

    /// <summary>Sends every request to this path.</summary>
    public TransformBuilder SetPath(string path) => Add(new PathSetTransform(NotNull(path)));

    /// <summary>Makes the path from a pattern with the route's values: <c>/items/{id}</c>.</summary>
    public TransformBuilder SetPathPattern(string pattern) => Add(new PathPatternTransform(NotNull(pattern)));

    /// <summary>Sets a query parameter; the others keep every byte.</summary>
    public TransformBuilder SetQuery(string name, string value) => Add(new QueryTransform(QueryAction.Set, NotNull(name), NotNull(value), null));

    /// <summary>Adds a query parameter beside what there is of that name.</summary>
    public TransformBuilder AppendQuery(string name, string value) => Add(new QueryTransform(QueryAction.Append, NotNull(name), NotNull(value), null));

    /// <summary>Sets a query parameter to a route value; nothing happens if the route has none of that name.</summary>
    public TransformBuilder SetQueryFromRoute(string name, string routeValue) => Add(new QueryTransform(QueryAction.Set, NotNull(name), null, NotNull(routeValue)));

    /// <summary>Adds a query parameter with a route value.</summary>
    public TransformBuilder AppendQueryFromRoute(string name, string routeValue) => Add(new QueryTransform(QueryAction.Append, NotNull(name), null, NotNull(routeValue)));

    /// <summary>Removes a query parameter.</summary>
    public TransformBuilder RemoveQuery(string name) => Add(new QueryTransform(QueryAction.Remove, NotNull(name), null, null));

    /// <summary>Sends <paramref name="from"/> requests as <paramref name="to"/>.</summary>
    public TransformBuilder ChangeMethod(string from, string to) => Add(new MethodTransform(NotNull(from), NotNull(to)));

    /// <summary>Whether the client's headers are forwarded at all. Default: true.</summary>
    public TransformBuilder CopyRequestHeaders(bool copy) => Add(new HeadersCopyTransform(HeaderTarget.Request, copy));

    /// <summary>Forwards these of the client's headers and no others.</summary>
    public TransformBuilder AllowRequestHeaders(params string[] names) => Add(new HeadersAllowedTransform(HeaderTarget.Request, NotNull(names).ToValueList()));

    /// <summary>Whether the upstream sees the client's <c>Host</c> instead of its own. Default: false. nginx: <c>proxy_set_header Host $host</c>.</summary>
    public TransformBuilder UseOriginalHost(bool useOriginal) => Add(new OriginalHostTransform(useOriginal));

    /// <summary>Sets a request header; <c>Host</c> too.</summary>
    public TransformBuilder SetRequestHeader(string name, string value) => Add(new RequestHeaderTransform(HeaderAction.Set, NotNull(name), NotNull(value)));

    /// <summary>Adds a value to a request header.</summary>
    public TransformBuilder AppendRequestHeader(string name, string value) => Add(new RequestHeaderTransform(HeaderAction.Append, NotNull(name), NotNull(value)));

    /// <summary>Removes a request header.</summary>
    public TransformBuilder RemoveRequestHeader(string name) => Add(new RequestHeaderTransform(HeaderAction.Remove, NotNull(name), ""));

    /// <summary>Sets a request header to a route value; nothing happens if the route has none of that name.</summary>
    public TransformBuilder SetRequestHeaderFromRoute(string name, string routeValue) => Add(new RequestHeaderRouteValueTransform(HeaderAction.Set, NotNull(name), NotNull(routeValue)));

    /// <summary>Adds a route value to a request header.</summary>
    public TransformBuilder AppendRequestHeaderFromRoute(string name, string routeValue) => Add(new RequestHeaderRouteValueTransform(HeaderAction.Append, NotNull(name), NotNull(routeValue)));

    /// <summary>
    /// Sets what becomes of <c>X-Forwarded-For</c>, <c>-Host</c>, <c>-Proto</c>, <c>-Port</c> and <c>-Prefix</c> alike. Default: <see cref="ForwardedHeaderAction.Append"/>.
    /// </summary>
    public TransformBuilder UseXForwarded(ForwardedHeaderAction action) =>
        Add(new XForwardedTransform { For = action, Host = action, Proto = action, Port = action, Prefix = action });

    /// <summary>Sends <c>Forwarded</c> (RFC 7239) with the client's address, the host and the scheme, instead of <c>X-Forwarded-*</c>.</summary>
    public TransformBuilder UseForwarded() => UseForwarded(ForwardedNodeFormat.Ip, ForwardedNodeFormat.None);

    /// <summary>Sends <c>Forwarded</c> (RFC 7239), with the nodes named as given, instead of <c>X-Forwarded-*</c>.</summary>
    /// <param name="forFormat">How the client is named.</param>
    /// <param name="byFormat">How this proxy is named.</param>
    public TransformBuilder UseForwarded(ForwardedNodeFormat forFormat, ForwardedNodeFormat byFormat) =>
        Add(new ForwardedTransform { For = forFormat, By = byFormat, Host = true, Proto = true });

    /// <summary>Sends the client's certificate, in base64, in this header, which nobody else can set.</summary>
    public TransformBuilder SendClientCertificate(string headerName) => Add(new ClientCertificateTransform(NotNull(headerName)));

    /// <summary>Whether the upstream's response headers reach the client at all. Default: true.</summary>
    public TransformBuilder CopyResponseHeaders(bool copy) => Add(new HeadersCopyTransform(HeaderTarget.Response, copy));

    /// <summary>Lets these response headers through and no others.</summary>
    public TransformBuilder AllowResponseHeaders(params string[] names) => Add(new HeadersAllowedTransform(HeaderTarget.Response, NotNull(names).ToValueList()));

    /// <summary>Sets a header on every response, the proxy's own errors included.</summary>
    public TransformBuilder SetResponseHeader(string name, string value) => SetResponseHeader(name, value, ResponseCondition.Always);

    /// <summary>Sets a header on some responses.</summary>
    public TransformBuilder SetResponseHeader(string name, string value, ResponseCondition when) => Response(HeaderTarget.Response, HeaderAction.Set, name, value, when);

    /// <summary>Adds a value to a header of some responses.</summary>
    public TransformBuilder AppendResponseHeader(string name, string value, ResponseCondition when) => Response(HeaderTarget.Response, HeaderAction.Append, name, value, when);

    /// <summary>Removes a header from every response.</summary>
    public TransformBuilder RemoveResponseHeader(string name) => RemoveResponseHeader(name, ResponseCondition.Always);

    /// <summary>Removes a header from some responses.</summary>
    public TransformBuilder RemoveResponseHeader(string name, ResponseCondition when) => Response(HeaderTarget.Response, HeaderAction.Remove, name, "", when);

    /// <summary>Whether the upstream's trailers reach the client at all. Default: true.</summary>
    public TransformBuilder CopyResponseTrailers(bool copy) => Add(new HeadersCopyTransform(HeaderTarget.Trailer, copy));

    /// <summary>Lets these trailers through and no others.</summary>
    public TransformBuilder AllowResponseTrailers(params string[] names) => Add(new HeadersAllowedTransform(HeaderTarget.Trailer, NotNull(names).ToValueList()));

    /// <summary>Sets a trailer on some responses.</summary>
    public TransformBuilder SetResponseTrailer(string name, string value, ResponseCondition when) => Response(HeaderTarget.Trailer, HeaderAction.Set, name, value, when);

    /// <summary>Adds a value to a trailer of some responses.</summary>
    public TransformBuilder AppendResponseTrailer(string name, string value, ResponseCondition when) => Response(HeaderTarget.Trailer, HeaderAction.Append, name, value, when);

    /// <summary>Removes a trailer from some responses.</summary>
    public TransformBuilder RemoveResponseTrailer(string name, ResponseCondition when) => Response(HeaderTarget.Trailer, HeaderAction.Remove, name, "", when);

    /// <summary>Whether a destination's own address in <c>Location</c>, <c>Content-Location</c> and <c>Refresh</c> is replaced by the public one. Default: true.</summary>
    public TransformBuilder RewriteLocation(bool rewrite) => Add(new LocationRewriteTransform(rewrite));

    /// <summary>Whether a destination's own domain and path in <c>Set-Cookie</c> are replaced by the public ones. Default: true.</summary>
    public TransformBuilder RewriteCookies(bool rewrite) => Add(new CookieRewriteTransform(rewrite));

    /// <summary>Runs on each request, last of all.</summary>
    public TransformBuilder OnRequest(Func<RequestTransformContext, ValueTask> transform) => Add(new RequestDelegateTransform(NotNull(transform)));

    /// <summary>Runs on each response after its headers are copied, and on the proxy's own errors.</summary>
    public TransformBuilder OnResponse(Func<ResponseTransformContext, ValueTask> transform) => Add(new ResponseDelegateTransform(NotNull(transform)));

    /// <summary>Runs after the response's trailers are copied.</summary>
    public TransformBuilder OnResponseTrailers(Func<ResponseTransformContext, ValueTask> transform) => Add(new TrailersDelegateTransform(NotNull(transform)));

    private TransformBuilder Response(HeaderTarget target, HeaderAction action, string name, string value, ResponseCondition when) =>
        Add(new ResponseHeaderTransform(target, action, NotNull(name), NotNull(value), when));

    internal TransformBuilder Add(Transform transform)
    {
        _transforms.Add(transform);
        return this;
    }

    private static T NotNull<T>(T value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return value;
    }
}
