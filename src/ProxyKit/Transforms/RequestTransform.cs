using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.Transforms;

/// <summary>A change to the prepared request; no transport is involved yet.</summary>
internal abstract record RequestTransform : Transform
{
    public abstract void Apply(HttpContext context, PreparedRequest request);

    /// <summary>Whether it may change this header.</summary>
    public virtual bool Changes(string header) => false;
}

internal enum HeaderAction
{
    Set,
    Append,
    Remove,
}

internal sealed record RequestHeaderTransform(HeaderAction Action, string Name, string Value) : RequestTransform
{
    public override void Apply(HttpContext context, PreparedRequest request) => Apply(request, Action, Name, Value);

    public override bool Changes(string header) => header.Equals(Name, StringComparison.OrdinalIgnoreCase);

    public static void Apply(PreparedRequest request, HeaderAction action, string name, string value)
    {
        if (name.Equals("Host", StringComparison.OrdinalIgnoreCase))
        {
            if (action != HeaderAction.Remove && !Configuration.ClusterValidator.IsHost(value))
                request.Rejection ??= new(400, "a route value that is not a host name");
            else
                request.Host = action == HeaderAction.Remove ? null : HeaderText.Host(value);
            return;
        }
        if (RequestGuard.HasControls(value) || HeaderText.ToWire(value, request.Encoding) is not { } wire)
        {
            request.Rejection ??= new(400, $"a value that cannot stand in the header {name}");
            return;
        }
        switch (action)
        {
            case HeaderAction.Set:
                request.Headers.Set(name, wire);
                break;
            case HeaderAction.Append:
                request.Headers.Append(name, wire);
                break;
            default:
                request.Headers.Remove(name);
                break;
        }
    }
}

internal sealed record RequestHeaderRouteValueTransform(HeaderAction Action, string Name, string RouteValue) : RequestTransform
{
    public override void Apply(HttpContext context, PreparedRequest request)
    {
        if (context.Request.RouteValues[RouteValue]?.ToString() is { } value)
            RequestHeaderTransform.Apply(request, Action, Name, value);
    }

    public override bool Changes(string header) => header.Equals(Name, StringComparison.OrdinalIgnoreCase);
}

internal sealed record MethodTransform(string From, string To) : RequestTransform
{
    public override void Apply(HttpContext context, PreparedRequest request)
    {
        if (request.Method == From)
            request.Method = To;
    }
}

internal sealed record ClientCertificateTransform(string HeaderName) : RequestTransform
{
    public override void Apply(HttpContext context, PreparedRequest request)
    {
        // Removed when there is none: nobody may claim a certificate in a header.
        if (context.Connection.ClientCertificate is { } certificate)
            request.Headers.Set(HeaderName, Convert.ToBase64String(certificate.RawData));
        else
            request.Headers.Remove(HeaderName);
    }

    public override bool Changes(string header) => header.Equals(HeaderName, StringComparison.OrdinalIgnoreCase);
}
