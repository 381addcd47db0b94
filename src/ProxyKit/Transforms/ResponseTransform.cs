using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Forwarding;

namespace ProxyKit.Transforms;

internal enum HeaderTarget
{
    Request,
    Response,
    Trailer,
}

/// <summary>A change to the header or trailer section that the client gets.</summary>
internal sealed record ResponseHeaderTransform(HeaderTarget Target, HeaderAction Action, string Name, string Value, ResponseCondition When) : Transform
{
    /// <param name="headers">The header or trailer section.</param>
    /// <param name="status">The response's status.</param>
    /// <param name="encoding">How the value is encoded; null for latin-1. Validation has seen that it can be.</param>
    public void Apply(IHeaderDictionary headers, int status, System.Text.Encoding? encoding)
    {
        if (When != ResponseCondition.Always && When == ResponseCondition.Failure != status >= 400)
            return;
        switch (Action)
        {
            case HeaderAction.Set:
                headers[Name] = Wire();
                break;
            case HeaderAction.Append:
                headers[Name] = StringValues.Concat(headers[Name], Wire());
                break;
            default:
                headers.Remove(Name);
                break;
        }

        string Wire() => HeaderText.ToWire(Value, encoding) ?? "";
    }
}

/// <summary>Whether headers are copied at all.</summary>
internal sealed record HeadersCopyTransform(HeaderTarget Target, bool Copy) : Transform;

/// <summary>Only these headers are copied.</summary>
internal sealed record HeadersAllowedTransform(HeaderTarget Target, ValueList<string> Names) : Transform;

/// <summary>Whether the upstream sees the client's Host.</summary>
internal sealed record OriginalHostTransform(bool UseOriginal) : Transform;

/// <summary>Whether Location, Content-Location and Refresh are rewritten to the public address.</summary>
internal sealed record LocationRewriteTransform(bool Rewrite) : Transform;

/// <summary>Whether the domain and path of Set-Cookie are.</summary>
internal sealed record CookieRewriteTransform(bool Rewrite) : Transform;

internal sealed record RequestDelegateTransform(Func<RequestTransformContext, ValueTask> Run) : Transform;

internal sealed record ResponseDelegateTransform(Func<ResponseTransformContext, ValueTask> Run) : Transform;

internal sealed record TrailersDelegateTransform(Func<ResponseTransformContext, ValueTask> Run) : Transform;
