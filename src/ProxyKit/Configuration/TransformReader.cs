using ProxyKit.Transforms;

namespace ProxyKit.Configuration;

/// <summary>A transform from JSON, by the keys that YARP gave it.</summary>
internal static class TransformReader
{
    // The key by which a transform is known, and how it is read.
    private static readonly (string Key, Func<SectionReader, Transform?> Read)[] s_transforms =
    [
        ("PathPrefix", t => new PathPrefixTransform(t.Required("PathPrefix"))),
        ("PathRemovePrefix", t => new PathRemovePrefixTransform(t.Required("PathRemovePrefix"))),
        ("PathSet", t => new PathSetTransform(t.Required("PathSet"))),
        ("PathPattern", ReadPattern),
        ("QueryValueParameter", t => ReadQuery(t, "QueryValueParameter", isRouteValue: false)),
        ("QueryRouteParameter", t => ReadQuery(t, "QueryRouteParameter", isRouteValue: true)),
        ("QueryRemoveParameter", t => new QueryTransform(QueryAction.Remove, t.Required("QueryRemoveParameter"), null, null)),
        ("HttpMethodChange", t => new MethodTransform(t.Required("HttpMethodChange"), t.Required("Set"))),
        ("RequestHeadersCopy", t => t.Bool("RequestHeadersCopy") is { } copy ? new HeadersCopyTransform(HeaderTarget.Request, copy) : null),
        ("RequestHeaderOriginalHost", t => t.Bool("RequestHeaderOriginalHost") is { } original ? new OriginalHostTransform(original) : null),
        ("RequestHeader", t => SetOrAppend(t) is var (action, value) ? new RequestHeaderTransform(action, t.Required("RequestHeader"), value) : null),
        ("RequestHeaderRouteValue", t => SetOrAppend(t) is var (action, value) ? new RequestHeaderRouteValueTransform(action, t.Required("RequestHeaderRouteValue"), value) : null),
        ("RequestHeaderRemove", t => new RequestHeaderTransform(HeaderAction.Remove, t.Required("RequestHeaderRemove"), "")),
        ("RequestHeadersAllowed", t => new HeadersAllowedTransform(HeaderTarget.Request, Names(t, "RequestHeadersAllowed"))),
        ("X-Forwarded", ReadXForwarded),
        ("Forwarded", ReadForwarded),
        ("ClientCert", t => new ClientCertificateTransform(t.Required("ClientCert"))),
        ("ResponseHeadersCopy", t => t.Bool("ResponseHeadersCopy") is { } copy ? new HeadersCopyTransform(HeaderTarget.Response, copy) : null),
        ("ResponseHeader", t => ReadResponse(t, "ResponseHeader", HeaderTarget.Response)),
        ("ResponseHeaderRemove", t => ReadRemove(t, "ResponseHeaderRemove", HeaderTarget.Response)),
        ("ResponseHeadersAllowed", t => new HeadersAllowedTransform(HeaderTarget.Response, Names(t, "ResponseHeadersAllowed"))),
        ("ResponseTrailersCopy", t => t.Bool("ResponseTrailersCopy") is { } copy ? new HeadersCopyTransform(HeaderTarget.Trailer, copy) : null),
        ("ResponseTrailer", t => ReadResponse(t, "ResponseTrailer", HeaderTarget.Trailer)),
        ("ResponseTrailerRemove", t => ReadRemove(t, "ResponseTrailerRemove", HeaderTarget.Trailer)),
        ("ResponseTrailersAllowed", t => new HeadersAllowedTransform(HeaderTarget.Trailer, Names(t, "ResponseTrailersAllowed"))),
        ("LocationRewrite", t => t.Bool("LocationRewrite") is { } rewrite ? new LocationRewriteTransform(rewrite) : null),
        ("CookieRewrite", t => t.Bool("CookieRewrite") is { } rewrite ? new CookieRewriteTransform(rewrite) : null),
    ];

    public static Transform? Read(SectionReader transform)
    {
        var keys = transform.All();
        foreach (var (key, read) in s_transforms)
        {
            if (keys.ContainsKey(key))
            {
                transform.Text(key); // known, even if what stands beside it is wrong
                return read(transform);
            }
        }
        transform.Errors.Add($"{transform.Path}: '{string.Join(", ", keys.Keys)}' is not a transform{Nearest.Hint(keys.Keys.FirstOrDefault() ?? "", s_transforms.Select(t => t.Key))}");
        foreach (var key in keys.Keys)
            transform.Text(key); // said once is enough
        return null;
    }

    private static PathPatternTransform? ReadPattern(SectionReader transform)
    {
        var pattern = transform.Required("PathPattern");
        if (TransformValidator.CheckPattern(pattern) is not { } error)
            return new(pattern);
        transform.Errors.Add($"{transform.Path}:PathPattern: '{pattern}' is not a route pattern: {error}");
        return null;
    }

    private static (HeaderAction Action, string Value)? SetOrAppend(SectionReader transform)
    {
        var (set, append) = (transform.Text("Set"), transform.Text("Append"));
        if (set is null == append is null)
        {
            transform.Errors.Add($"{transform.Path} needs either Set or Append.");
            return null;
        }
        return set is not null ? (HeaderAction.Set, set) : (HeaderAction.Append, append!);
    }

    private static QueryTransform? ReadQuery(SectionReader transform, string key, bool isRouteValue)
    {
        var name = transform.Required(key);
        if (SetOrAppend(transform) is not var (action, value))
            return null;
        return new(action == HeaderAction.Set ? QueryAction.Set : QueryAction.Append, name, isRouteValue ? null : value, isRouteValue ? value : null);
    }

    private static ResponseHeaderTransform? ReadResponse(SectionReader transform, string key, HeaderTarget target)
    {
        var name = transform.Required(key);
        var when = transform.Enum<ResponseCondition>("When") ?? ResponseCondition.Success;
        return SetOrAppend(transform) is var (action, value) ? new(target, action, name, value, when) : null;
    }

    private static ResponseHeaderTransform ReadRemove(SectionReader transform, string key, HeaderTarget target) =>
        new(target, HeaderAction.Remove, transform.Required(key), "", transform.Enum<ResponseCondition>("When") ?? ResponseCondition.Success);

    private static ValueList<string> Names(SectionReader transform, string key) =>
        transform.Required(key).Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).ToValueList();

    private static XForwardedTransform ReadXForwarded(SectionReader transform)
    {
        var action = transform.Enum<ForwardedHeaderAction>("X-Forwarded") ?? ForwardedHeaderAction.Append;
        return new(transform.Text("HeaderPrefix") ?? "X-Forwarded-")
        {
            For = transform.Enum<ForwardedHeaderAction>("For") ?? action,
            Host = transform.Enum<ForwardedHeaderAction>("Host") ?? action,
            Proto = transform.Enum<ForwardedHeaderAction>("Proto") ?? action,
            Prefix = transform.Enum<ForwardedHeaderAction>("Prefix") ?? action,
            Port = transform.Enum<ForwardedHeaderAction>("Port") ?? action,
        };
    }

    private static ForwardedTransform ReadForwarded(SectionReader transform)
    {
        var parts = transform.Required("Forwarded").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        foreach (var part in parts.Where(p => !s_forwardedParts.Contains(p, StringComparer.OrdinalIgnoreCase)))
            transform.Errors.Add($"{transform.Path}:Forwarded: '{part}' is not allowed; it must be {string.Join(", ", s_forwardedParts)}.");
        var forFormat = transform.Enum<ForwardedNodeFormat>("ForFormat") ?? ForwardedNodeFormat.Random;
        var byFormat = transform.Enum<ForwardedNodeFormat>("ByFormat") ?? ForwardedNodeFormat.Random;
        return new()
        {
            Action = transform.Enum<ForwardedHeaderAction>("Action") ?? ForwardedHeaderAction.Append,
            For = Has("for") ? forFormat : ForwardedNodeFormat.None,
            By = Has("by") ? byFormat : ForwardedNodeFormat.None,
            Host = Has("host"),
            Proto = Has("proto"),
        };

        bool Has(string part) => parts.Contains(part, StringComparer.OrdinalIgnoreCase);
    }

    private static readonly string[] s_forwardedParts = ["for", "by", "host", "proto"];
}
