using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Compression;
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
    private readonly AssetCaching _caching;
    private readonly SiteRefusals _refusals;

    public Site(RequestDelegate next, RouteConfig route, SiteConfig site, ForwarderServices services, ResponseCompression? compression)
    {
        var transforms = RouteTransforms.Compile(route.Transforms);
        _next = next;
        _route = route;
        _services = services;
        _refusals = new(route, transforms, services);
        _map = new(route.FastCgi!, site, services.Clocks.Time);
        _files = new(transforms, compression);
        _caching = new(site.AssetMaxAge);
    }

    public Task InvokeAsync(HttpContext context)
    {
        // As the forwarder does, where files never get to; and before anything is taken off the path.
        if (RequestGuard.Check(context, context.Features.Get<IHttpRequestFeature>()!.RawTarget, _route, _services.Options) is { } rejection)
            return _refusals.RejectAsync(context, rejection);
        // What stands before the pattern's catch-all is where the site is, as if it were mapped with app.Map("/blog", …).
        return RoutePrefix.Length(context, context.Request.Path.Value ?? "") is > 0 and var length ? BelowAsync(context, length) : RunAsync(context);
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
            return FolderRedirect.SendAsync(context, request.PathBase.ToUriComponent()); // "/blog": relative links start at "/blog/"

        var encoded = PathEncoding.Select(request, PathEncoding.RawPath(context.Features.Get<IHttpRequestFeature>()!.RawTarget), _services.Options.PathForwarding);
        SiteTarget target;
        if (CgiPath.Decode(encoded, out var path) is not { } rejection)
            target = _map.Find(path, isRead: request.Method is "GET" or "HEAD");
        else if (rejection.Status == StatusCodes.Status404NotFound)
            target = _map.FrontController; // what cannot name a file may still be an address of the application's
        else
            return _refusals.RejectAsync(context, rejection);

        if (target.Script is { } script)
        {
            context.Features.Set(script);
            return _next(context);
        }
        if (target.IsFolder)
            return FolderRedirect.SendAsync(context, request.PathBase.ToUriComponent() + encoded);
        if (target.File is null)
            return _refusals.RejectAsync(context, new(StatusCodes.Status404NotFound, target.Refusal!));
        if (SiteFiles.Open(target.File) is not { } file)
            return _refusals.RejectAsync(context, SiteRefusals.Unreadable);
        var caching = _caching.For(target.ContentType!, Path.GetFileName(target.File), request.QueryString.Value ?? "", AssetCaching.IsPrivate(context));
        return _files.SendAsync(context, file, target.ContentType!, caching);
    }
}
