using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.FastCgi;
using ProxyKit.Forwarding;
using ProxyKit.Transforms;

namespace ProxyKit.StaticSites;

/// <summary>The site stage: answers for files itself, and tells the stages behind it which script is meant.</summary>
internal sealed class Site
{
    private readonly RequestDelegate _next;
    private readonly RouteConfig _route;
    private readonly ForwarderServices _services;
    private readonly SiteMap _map;
    private readonly SiteFiles _files;
    private readonly ErrorResponder _errors;

    public Site(RequestDelegate next, RouteConfig route, SiteConfig site, ForwarderServices services)
    {
        var transforms = RouteTransforms.Compile(route.Transforms);
        _next = next;
        _route = route;
        _services = services;
        _errors = new(route, transforms, services);
        _map = new(route.FastCgi!, site, services.Clocks.Time);
        _files = new(site, transforms);
    }

    public Task InvokeAsync(HttpContext context)
    {
        // As the forwarder does, where files never get to; and before anything is taken off the path.
        if (RequestGuard.Check(context, context.Features.Get<IHttpRequestFeature>()!.RawTarget, _route, _services.Options) is { } rejection)
            return RejectAsync(context, rejection);
        // What stands before the pattern's catch-all is where the site is, as if it were mapped with app.Map("/blog", …).
        return RoutePrefix.Length(context) is > 0 and var length ? BelowAsync(context, length) : RunAsync(context);
    }

    private async Task BelowAsync(HttpContext context, int length)
    {
        var request = context.Request;
        var (pathBase, path) = (request.PathBase, request.Path);
        request.PathBase = pathBase + new PathString(path.Value![..length]);
        request.Path = path.Value![length..];
        try
        {
            await RunAsync(context);
        }
        finally
        {
            (request.PathBase, request.Path) = (pathBase, path);
        }
    }

    private Task RunAsync(HttpContext context)
    {
        var request = context.Request;
        if (!request.Path.HasValue)
            return Redirect(context, request.PathBase.ToUriComponent()); // "/blog": relative links start at "/blog/"

        var encoded = PathEncoding.Select(request, PathEncoding.RawPath(context.Features.Get<IHttpRequestFeature>()!.RawTarget), _services.Options.PathForwarding);
        SiteTarget target;
        if (CgiPath.Decode(encoded, out var path) is not { } rejection)
            target = _map.Find(path, isRead: request.Method is "GET" or "HEAD");
        else if (rejection.Status == StatusCodes.Status404NotFound)
            target = _map.FrontController; // what cannot name a file may still be an address of the application's
        else
            return RejectAsync(context, rejection);

        if (target.Script is { } script)
        {
            context.Features.Set(script);
            return _next(context);
        }
        if (target.IsFolder)
            return Redirect(context, request.PathBase.ToUriComponent() + encoded);
        if (target.File is null)
            return RejectAsync(context, new(StatusCodes.Status404NotFound, target.Refusal!));
        return SiteFiles.Open(target.File) is { } file
            ? _files.SendAsync(context, context.Features.Get<ProxyContext>()!, file, target.ContentType!)
            : RejectAsync(context, new(StatusCodes.Status403Forbidden, "a file that the proxy may not read"));
    }

    private Task RejectAsync(HttpContext context, Rejection rejection)
    {
        var proxy = context.Features.Get<ProxyContext>()!;
        proxy.Error = rejection.Error;
        proxy.FailureClass = FailureClass.Client;
        _services.Log.Rejected(rejection, proxy, context);
        return _errors.RejectAsync(context, proxy, rejection);
    }

    // A path and nothing else: where the client believes the host to be is not for us to say. 308 keeps the method.
    private static Task Redirect(HttpContext context, string path)
    {
        context.Response.StatusCode = context.Request.Method is "GET" or "HEAD" ? StatusCodes.Status301MovedPermanently : StatusCodes.Status308PermanentRedirect;
        // "//host/" would be another host's address, and so would "/\\host/" to a browser.
        context.Response.Headers.Location = $"/{path.AsSpan().TrimStart("/\\")}/{context.Request.QueryString}";
        return Task.CompletedTask;
    }
}
