using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.AspNetCore.Routing.Template;
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
        // The prefix may be percent-encoded differently from how it is configured: then what follows it is encoded anew.
        if (request.Path.Contains('%', StringComparison.Ordinal)
            && PreparedRequest.Decode(request.Path).StartsWithSegments(new PathString(Prefix.TrimEnd('/')), out var remaining))
            request.Path = PathEncoding.Encode(remaining.Value);
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
        var binder = context.RequestServices.GetService(typeof(TemplateBinderFactory)) as TemplateBinderFactory
            ?? throw new InvalidOperationException("A path pattern needs ASP.NET Core routing.");
        // Only the values that the pattern uses: the binder would add others to the query.
        var values = new RouteValueDictionary();
        foreach (var parameter in _pattern.Value.Parameters)
        {
            if (context.Request.RouteValues.TryGetValue(parameter.Name, out var value) || (value = parameter.Default) is not null)
                values[parameter.Name] = value;
            else if (parameter is { IsOptional: false, IsCatchAll: false })
                throw new InvalidOperationException($"The route has no value '{parameter.Name}' for the path pattern '{Pattern}'.");
        }
        request.Path = binder.Create(_pattern.Value).BindValues(values) is { Length: > 0 } path
            ? path.Replace("%252F", "%2F", StringComparison.OrdinalIgnoreCase) // a slash that the server left encoded in the path
            : throw new InvalidOperationException($"The route has no values for the path pattern '{Pattern}'.");
    }
}
