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
            request.Host = action == HeaderAction.Remove ? null : value;
            return;
        }
        switch (action)
        {
            case HeaderAction.Set:
                request.Headers.Set(name, value);
                break;
            case HeaderAction.Append:
                request.Headers.Append(name, value);
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
        if (context.Request.RouteValues[RouteValue]?.ToString() is not { } value)
            return;
        if (RequestGuard.HasControls(value))
            throw new InvalidOperationException($"Route value '{RouteValue}' holds a control character and cannot become a header.");
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
