using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using ProxyKit.Compression;
using ProxyKit.FastCgi;
using ProxyKit.Forwarding;
using ProxyKit.Transforms;

namespace ProxyKit.StaticSites;

/// <summary>The stage that answers with a folder's files, and leaves everything else to the stages behind it.</summary>
internal sealed class StaticFiles
{
    private readonly RequestDelegate _next;
    private readonly RouteConfig _route;
    private readonly StaticFilesConfig _config;
    private readonly ForwarderServices _services;
    private readonly FileMap _map;
    private readonly Precompressed _precompressed;
    private readonly SiteFiles _files;
    private readonly StaticFileCaching _caching;
    private readonly SiteRefusals _refusals;

    /// <param name="next">What answers for all that is no file.</param>
    /// <param name="route">The route.</param>
    /// <param name="config">Its static files.</param>
    /// <param name="services">What stages share.</param>
    /// <param name="compression">The route's; null for none. The stage is outside of it, with everything that is between the upstream and the client, and has it act on files by itself.</param>
    public StaticFiles(RequestDelegate next, RouteConfig route, StaticFilesConfig config, ForwarderServices services, ResponseCompression? compression)
    {
        var transforms = RouteTransforms.Compile(route.Transforms);
        var extensions = (route.FastCgi ?? new()).Extensions;
        _next = next;
        _route = route;
        _config = config;
        _services = services;
        _map = new(
            new() { Root = Path.GetFullPath(services.Files.Resolve(config.Root)), SymbolicLinks = config.SymbolicLinks, Extensions = extensions },
            new FileRules(extensions, config.DeniedFiles, config.AllowedFiles, config.ContentTypes).Knowing(".br", "application/octet-stream").Knowing(".zst", "application/zstd"),
            services.Clocks.Time);
        _precompressed = new(config.Precompressed, _map);
        _files = new(transforms, compression);
        _caching = new(config);
        _refusals = new(route, transforms, services);
    }

    public Task InvokeAsync(HttpContext context)
    {
        var request = context.Request;
        var target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        // What the forwarder would turn down is not to get a file instead; it says so itself.
        if (RequestGuard.Check(context, target, _route, _services.Options) is not null)
            return _next(context);
        var encoded = PathEncoding.Select(request, PathEncoding.RawPath(target), _services.Options.PathForwarding);
        if (CgiPath.Decode(encoded, out var path) is not null)
            return _next(context); // it cannot name a file, but may be an address of the upstream's

        // What stands before the pattern's catch-all is where the files are. "/blog" is the folder without its slash.
        var text = path.Text[RoutePrefix.Length(context, path.Text)..];
        if (FileMap.IsHidden(text))
            return _config.DenyDotPaths ? _refusals.RejectAsync(context, SiteRefusals.Hidden) : _next(context);
        if (request.Method is not ("GET" or "HEAD"))
            return _next(context);
        if (_map.CanName(path) && Find(text, request, out var isFolder) is { } file)
            return isFolder ? FolderRedirect.SendAsync(context, request.PathBase.ToUriComponent() + (request.Path.HasValue ? encoded : "")) : AnswerAsync(context, file);
        return IsPage(text, request) && _map.Find("/" + _config.Fallback) is { } fallback
            ? AnswerAsync(context, new("/" + _config.Fallback, fallback, "no-cache", IsFallback: true))
            : _next(context);
    }

    private StaticFile? Find(string text, HttpRequest request, out bool isFolder)
    {
        isFolder = false;
        if (text.Length > 0 && text[^1] != '/' && request.Path.HasValue && _map.Find(text) is { } target)
            return Found(text, target, request);
        if (_config.IndexFiles.Count == 0)
            return null;
        isFolder = !request.Path.HasValue || text.Length == 0 || text[^1] != '/';
        // A name that is no folder's has nothing in it.
        var folder = !request.Path.HasValue || text.Length == 0 ? "/" : isFolder ? text + "/" : text;
        foreach (var index in _config.IndexFiles.AsSpan())
        {
            if (_map.Find(folder + index) is { } page)
                return Found(folder + index, page, request);
        }
        return null;
    }

    private StaticFile Found(string text, SiteTarget target, HttpRequest request) =>
        new(text, target, _caching.For(text, target.ContentType!, request.QueryString.Value ?? "", AssetCaching.IsPrivate(request.HttpContext)));

    // An address that a person looks at, and not a file that is missing, a script's call or what the upstream is to answer in any case.
    private bool IsPage(string text, HttpRequest request) =>
        _config.Fallback is not null
        && text.IndexOf('.', text.LastIndexOf('/') + 1) < 0 && !text.Contains("/.", StringComparison.Ordinal)
        && !PathFolders.Have(_config.NoFallbackPaths, text)
        && AcceptedQuality.Of(request.Headers.Accept, "text/html") > 0;

    private Task AnswerAsync(HttpContext context, StaticFile file)
    {
        var chosen = _precompressed.Choose(context.Request, file.Text, file.Target, out var encoding, out var varies);
        if (SiteFiles.Open(chosen) is not { } stream)
            // A deployment that takes files away is no fault of the client's.
            return File.Exists(chosen) ? _refusals.RejectAsync(context, SiteRefusals.Unreadable) : _next(context);
        if (file.IsFallback)
            context.Response.Headers.AppendCommaSeparatedValues(HeaderNames.Vary, HeaderNames.Accept);
        if (varies)
            context.Response.Headers.AppendCommaSeparatedValues(HeaderNames.Vary, HeaderNames.AcceptEncoding);
        return _files.SendAsync(context, stream, file.Target.ContentType!, file.CacheControl, encoding);
    }

    /// <summary>A file to answer with.</summary>
    private readonly record struct StaticFile(string Text, SiteTarget Target, string CacheControl, bool IsFallback = false);
}
