using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using ProxyKit.Forwarding;

namespace ProxyKit.Transforms;

internal sealed record PathPrefixTransform(string Prefix) : RequestTransform
{
    private readonly string _encoded = PathEncoding.Encode(Prefix).TrimEnd('/');

    public override void Apply(HttpContext context, PreparedRequest request) => request.Path = _encoded + request.Path;
}

internal sealed record PathRemovePrefixTransform(string Prefix) : RequestTransform
{
    private readonly string _encoded = PathEncoding.Encode(Prefix).TrimEnd('/');

    public override void Apply(HttpContext context, PreparedRequest request)
    {
        if (TryRemove(request.Path, _encoded, out var rest))
        {
            request.Path = rest;
            return;
        }
        // The prefix may be percent-encoded differently from how it is configured.
        if (PathEncoding.WithoutBase(request.Path, Prefix.TrimEnd('/')) is { } remaining)
            request.Path = remaining.Length == 0 ? "/" : remaining;
    }

    public static bool TryRemove(string path, string prefix, out string rest)
    {
        rest = path;
        if (!path.StartsWith(prefix, StringComparison.OrdinalIgnoreCase) || (path.Length > prefix.Length && path[prefix.Length] != '/'))
            return false;
        rest = path.Length == prefix.Length ? "/" : path[prefix.Length..];
        return true;
    }
}

internal sealed record PathSetTransform(string Path) : RequestTransform
{
    private readonly string _encoded = PathEncoding.Encode(Path);

    public override void Apply(HttpContext context, PreparedRequest request) => request.Path = _encoded;
}

internal sealed record PathPatternTransform(string Pattern) : RequestTransform
{
    // Validation parses it first, and reports what is wrong with it among all else.
    private readonly Lazy<RoutePattern> _pattern = new(() => RoutePatternFactory.Parse(Pattern));

    // Patterns compare by their text alone.
    public bool Equals(PathPatternTransform? other) => other is not null && Pattern == other.Pattern;

    public override int GetHashCode() => Pattern.GetHashCode(StringComparison.Ordinal);

    public override void Apply(HttpContext context, PreparedRequest request)
    {
        var path = new StringBuilder();
        foreach (var segment in _pattern.Value.PathSegments)
        {
            var start = path.Length;
            path.Append('/');
            foreach (var part in segment.Parts)
            {
                if (part is RoutePatternParameterPart parameter)
                {
                    if (Value(context, parameter) is { } value)
                    {
                        path.Append(value);
                        continue;
                    }
                    if (!parameter.IsOptional && !parameter.IsCatchAll)
                        throw new InvalidOperationException($"The route has no value '{parameter.Name}' for the path pattern '{Pattern}'.");
                    if (path[^1] == '.')
                        path.Length--; // "{name}.{extension?}"
                }
                else
                    path.Append(PathEncoding.EncodeSegment(part is RoutePatternLiteralPart literal ? literal.Content : ((RoutePatternSeparatorPart)part).Content));
            }
            if (path.Length == start + 1 && segment.Parts is [RoutePatternParameterPart])
                path.Length = start; // nothing in this segment: it is left out
        }
        request.Path = path.Length == 0 ? "/" : PathEncoding.HasDotSegment(path.ToString()) ? PathEncoding.RemoveDotSegments(path.ToString()) : path.ToString();
    }

    // As the client encoded it where that can be told; a value of the app's own is encoded here.
    private static string? Value(HttpContext context, RoutePatternParameterPart parameter)
    {
        if (!context.Request.RouteValues.TryGetValue(parameter.Name, out var value) || value is null)
            value = parameter.Default;
        var text = Convert.ToString(value, CultureInfo.InvariantCulture);
        if (string.IsNullOrEmpty(text))
            return null;
        if (context.RequestServices.GetService(typeof(ParameterPolicyFactory)) is ParameterPolicyFactory policies)
        {
            foreach (var policy in parameter.ParameterPolicies)
            {
                if (policies.Create(parameter, policy) is IOutboundParameterTransformer transformer)
                    text = transformer.TransformOutbound(text) ?? "";
            }
        }
        var encoded = Received(context, parameter.Name, text) ?? PathEncoding.Encode("/" + text)[1..];
        return parameter is { IsCatchAll: true, EncodeSlashes: false } ? encoded : encoded.Replace("/", "%2F", StringComparison.Ordinal);
    }

    // The decoded value alone does not say whether %2F was sent as %2F or %252F, nor which bytes were no UTF-8.
    private static string? Received(HttpContext context, string name, string text)
    {
        if (context.GetEndpoint() is not RouteEndpoint { RoutePattern: { } route })
            return null;
        var sent = PathEncoding.Select(context.Request, PathEncoding.RawPath(context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? ""), PathForwarding.Raw).Split('/');
        for (var i = 0; i < route.PathSegments.Count && i + 1 < sent.Length; i++)
        {
            if (route.PathSegments[i].Parts is not [RoutePatternParameterPart parameter] || !parameter.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                continue;
            var encoded = parameter.IsCatchAll ? string.Join('/', sent.Skip(i + 1)) : sent[i + 1];
            return PathString.FromUriComponent("/" + encoded).Value!.AsSpan(1).SequenceEqual(text) ? encoded : null;
        }
        return null;
    }
}
