using Microsoft.AspNetCore.Routing.Patterns;
using ProxyKit.Configuration;
using ProxyKit.Forwarding;

namespace ProxyKit.Transforms;

/// <summary>What can be wrong with a transform.</summary>
internal static class TransformValidator
{
    /// <param name="where">The route, for the error.</param>
    /// <param name="transform">The transform.</param>
    /// <param name="client">The encodings of the route's cluster.</param>
    /// <param name="errors">Takes the errors.</param>
    public static void Validate(string where, Transform transform, HttpClientConfig client, List<string> errors)
    {
        switch (transform)
        {
            case RequestHeaderTransform { Action: HeaderAction.Remove } t:
                Header(t.Name, "");
                break;
            case RequestHeaderTransform t when t.Name.Equals("Host", StringComparison.OrdinalIgnoreCase):
                if (!ClusterValidator.IsHost(t.Value))
                    errors.Add($"{where}: transform: '{t.Value}' for Host is not a host name, with a port if wanted.");
                break;
            case RequestHeaderTransform t:
                Header(t.Name, t.Value);
                NotFraming(t.Name);
                Encodable(t.Name, t.Value, nameof(client.RequestHeaderEncoding), client.RequestHeaderEncoding);
                break;
            case RequestHeaderRouteValueTransform t:
                Header(t.Name, "");
                if (t.Action != HeaderAction.Remove)
                    NotFraming(t.Name);
                break;
            case ResponseHeaderTransform t:
                Header(t.Name, t.Value);
                if (t.Action == HeaderAction.Remove)
                    break;
                NotFraming(t.Name);
                Encodable(t.Name, t.Value, nameof(client.ResponseHeaderEncoding), client.ResponseHeaderEncoding);
                break;
            case HeadersAllowedTransform t:
                foreach (var name in t.Names)
                    Header(name, "");
                break;
            case ClientCertificateTransform t:
                Header(t.HeaderName, "");
                NotFraming(t.HeaderName);
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

        // Two lengths in one message are how requests are smuggled (RFC 9112 §11.2).
        void NotFraming(string name)
        {
            if (name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase) || name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase))
                errors.Add($"{where}: transform: '{name}' cannot be set; it follows from the body.");
        }

        void Encodable(string name, string value, string setting, string? encoding)
        {
            try
            {
                if (HeaderText.ToWire(value, HeaderText.For(encoding)) is null)
                    errors.Add($"{where}: transform: the value '{value}' of header '{name}' cannot be written in {encoding ?? "latin-1"}. Set the cluster's HttpClient.{setting} to utf-8.");
            }
            catch (ArgumentException)
            {
                // No encoding: that is an error of the cluster's.
            }
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
