using Microsoft.AspNetCore.Routing.Patterns;
using ProxyKit.Configuration;
using ProxyKit.Forwarding;

namespace ProxyKit.Transforms;

/// <summary>What can be wrong with a transform.</summary>
internal static class TransformValidator
{
    public static void Validate(string where, Transform transform, List<string> errors)
    {
        switch (transform)
        {
            case RequestHeaderTransform t:
                Header(t.Name, t.Value);
                break;
            case RequestHeaderRouteValueTransform t:
                Header(t.Name, "");
                break;
            case ResponseHeaderTransform t:
                Header(t.Name, t.Value);
                break;
            case HeadersAllowedTransform t:
                foreach (var name in t.Names)
                    Header(name, "");
                break;
            case ClientCertificateTransform t:
                Header(t.HeaderName, "");
                break;
            case XForwardedTransform t:
                Header(t.HeaderPrefix + "For", "");
                break;
            case MethodTransform t when !Tokens.IsToken(t.From) || !Tokens.IsToken(t.To):
                errors.Add($"{where}: transform: '{t.From}' to '{t.To}' are not both method names.");
                break;
            case PathPrefixTransform { Prefix: var path }:
                Path(path);
                break;
            case PathRemovePrefixTransform { Prefix: var path }:
                Path(path);
                break;
            case PathSetTransform { Path: var path }:
                Path(path);
                break;
            case PathPatternTransform { Pattern: var pattern } when CheckPattern(pattern) is { } error:
                errors.Add($"{where}: transform: '{pattern}' is not a route pattern: {error}");
                break;
            case QueryTransform { Name: "" }:
                errors.Add($"{where}: transform: a query parameter needs a name.");
                break;
        }

        void Header(string name, string value)
        {
            if (!Tokens.IsToken(name))
                errors.Add($"{where}: transform: '{name}' is not a header name.");
            if (RequestGuard.HasControls(value))
                errors.Add($"{where}: transform: the value of header '{name}' holds a control character.");
        }

        void Path(string path)
        {
            if (path.Length == 0 || path[0] != '/')
                errors.Add($"{where}: transform: the path '{path}' does not start with a slash.");
        }
    }

    public static string? CheckPattern(string pattern)
    {
        try
        {
            RoutePatternFactory.Parse(pattern);
            return null;
        }
        catch (RoutePatternException e)
        {
            return e.Message;
        }
    }
}
