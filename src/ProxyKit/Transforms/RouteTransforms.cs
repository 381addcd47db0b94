using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Transforms;

/// <summary>A route's transforms, sorted once by what they act on.</summary>
internal sealed class RouteTransforms
{
    public required RequestTransform[] Request { get; init; }

    /// <summary>Those of a request to a FastCGI application: its parameters name the client, host and scheme, so the forwarding headers are sent only if the route asks for them.</summary>
    public required RequestTransform[] FastCgiRequest { get; init; }

    public required Func<RequestTransformContext, ValueTask>[] RequestDelegates { get; init; }

    public required ResponseHeaderTransform[] Response { get; init; }

    public required ResponseHeaderTransform[] Trailers { get; init; }

    public required Func<ResponseTransformContext, ValueTask>[] ResponseDelegates { get; init; }

    public required Func<ResponseTransformContext, ValueTask>[] TrailerDelegates { get; init; }

    public bool CopyRequestHeaders { get; private init; }

    public bool CopyResponseHeaders { get; private init; }

    public bool CopyTrailers { get; private init; }

    public FrozenSet<string>? AllowedRequestHeaders { get; private init; }

    public FrozenSet<string>? AllowedResponseHeaders { get; private init; }

    public FrozenSet<string>? AllowedTrailers { get; private init; }

    public bool UseOriginalHost { get; private init; }

    /// <summary>The forwarding headers that this proxy does not write: from then on they would tell less than the truth, even a trusted peer's.</summary>
    public string[] StaleForwardingHeaders { get; private init; } = [];

    public bool RewriteLocation { get; private init; }

    public bool RewriteCookies { get; private init; }

    /// <summary>What the transforms take off the front of each path; null if they make another path of it altogether.</summary>
    public string? RemovedPrefix { get; private init; }

    /// <summary>What the transforms put there instead.</summary>
    public string AddedPrefix { get; private init; } = "";

    /// <summary>Whether a compiled transform may set, append to or remove this request header.</summary>
    public bool ChangesRequestHeader(string name)
    {
        foreach (var transform in Request)
        {
            if (transform.Changes(name))
                return true;
        }
        return false;
    }

    public bool HasDelegates => RequestDelegates.Length + ResponseDelegates.Length + TrailerDelegates.Length > 0;

    public static RouteTransforms Compile(ValueList<Transform> transforms)
    {
        var request = transforms.OfType<RequestTransform>().ToList();
        // As in YARP: forwarding headers come first and by default; RFC 7239's takes the place of the X- ones.
        var isDefault = !request.Any(t => t is XForwardedTransform or ForwardedTransform);
        if (isDefault)
            request.Insert(0, XForwardedTransform.Default);
        var response = transforms.OfType<ResponseHeaderTransform>().ToList();

        string? removed = "";
        var added = "";
        foreach (var transform in request)
        {
            switch (transform)
            {
                case PathRemovePrefixTransform remove when added.Length == 0:
                    removed += Forwarding.PathEncoding.Encode(remove.Prefix).TrimEnd('/');
                    break;
                case PathPrefixTransform prefix:
                    added = Forwarding.PathEncoding.Encode(prefix.Prefix).TrimEnd('/') + added;
                    break;
                case PathRemovePrefixTransform or PathSetTransform or PathPatternTransform:
                    removed = null;
                    break;
            }
            if (removed is null)
                break;
        }

        RequestTransform[] compiled = [.. request.Select(t => t is XForwardedTransform forwarded ? forwarded with { RemovedPrefix = PathString.FromUriComponent(removed ?? "") } : t)];
        return new()
        {
            Request = compiled,
            FastCgiRequest = isDefault ? [XForwardedTransform.None, .. compiled.Skip(1)] : compiled,
            RequestDelegates = [.. transforms.OfType<RequestDelegateTransform>().Select(t => t.Run)],
            Response = [.. response.Where(t => t.Target == HeaderTarget.Response)],
            Trailers = [.. response.Where(t => t.Target == HeaderTarget.Trailer)],
            ResponseDelegates = [.. transforms.OfType<ResponseDelegateTransform>().Select(t => t.Run)],
            TrailerDelegates = [.. transforms.OfType<TrailersDelegateTransform>().Select(t => t.Run)],
            CopyRequestHeaders = Copies(HeaderTarget.Request),
            CopyResponseHeaders = Copies(HeaderTarget.Response),
            CopyTrailers = Copies(HeaderTarget.Trailer),
            AllowedRequestHeaders = Allowed(HeaderTarget.Request),
            AllowedResponseHeaders = Allowed(HeaderTarget.Response),
            AllowedTrailers = Allowed(HeaderTarget.Trailer),
            StaleForwardingHeaders = !request.Any(t => t is ForwardedTransform) && request.Any(t => t is XForwardedTransform { For: not ForwardedHeaderAction.Off })
                ? ["Forwarded"]
                : request.Any(t => t is ForwardedTransform { Action: not ForwardedHeaderAction.Off }) && !request.Any(t => t is XForwardedTransform)
                    ? ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix"]
                    : [],
            UseOriginalHost = transforms.OfType<OriginalHostTransform>().LastOrDefault()?.UseOriginal ?? false,
            RewriteLocation = transforms.OfType<LocationRewriteTransform>().LastOrDefault()?.Rewrite ?? true,
            RewriteCookies = transforms.OfType<CookieRewriteTransform>().LastOrDefault()?.Rewrite ?? true,
            RemovedPrefix = removed,
            AddedPrefix = added,
        };

        bool Copies(HeaderTarget target) => transforms.OfType<HeadersCopyTransform>().LastOrDefault(t => t.Target == target)?.Copy ?? true;

        FrozenSet<string>? Allowed(HeaderTarget target) => transforms.OfType<HeadersAllowedTransform>().LastOrDefault(t => t.Target == target)?
            .Names.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
    }
}
