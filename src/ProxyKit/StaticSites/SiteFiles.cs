using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using ProxyKit.Transforms;

namespace ProxyKit.StaticSites;

/// <summary>Answers with files, over ASP.NET Core's own file results: ranges, validators, HEAD (RFC 9110 §13, §14).</summary>
internal sealed class SiteFiles(SiteConfig site, RouteTransforms transforms)
{
    private readonly AssetCaching _caching = new(site.AssetMaxAge);

    /// <summary>Opens a file; null if the proxy may not read it, or it has gone.</summary>
    public static FileStream? Open(string file)
    {
        try
        {
            return new(file, new FileStreamOptions { Share = FileShare.ReadWrite | FileShare.Delete, Options = FileOptions.Asynchronous | FileOptions.SequentialScan, BufferSize = 0 });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public async Task SendAsync(HttpContext context, ProxyContext proxy, FileStream file, string contentType)
    {
        var response = context.Response;
        // A shared cache would hand out what was meant for one (RFC 9111 §3.5).
        var isPrivate = context.User.Identity is { IsAuthenticated: true };
        response.Headers.CacheControl = _caching.For(contentType, Path.GetFileName(file.Name), context.Request.QueryString.Value ?? "", isPrivate);
        response.Headers.XContentTypeOptions = "nosniff";
        if (transforms.Response.Length + transforms.ResponseDelegates.Length > 0)
            response.OnStarting(() => TransformAsync(context));

        var modified = System.IO.File.GetLastWriteTimeUtc(file.SafeFileHandle);
        modified = modified.AddTicks(-(modified.Ticks % TimeSpan.TicksPerSecond)); // HTTP dates have no fractions
        // The same as ASP.NET Core's static files have.
        var tag = new EntityTagHeaderValue(string.Create(CultureInfo.InvariantCulture, $"\"{modified.ToFileTimeUtc() ^ file.Length:x}\""));
        await TypedResults.Stream(file, contentType, fileDownloadName: null, modified, tag, enableRangeProcessing: true).ExecuteAsync(context);
        if (HttpMethods.IsGet(context.Request.Method) && response.StatusCode is StatusCodes.Status200OK or StatusCodes.Status206PartialContent)
            proxy.ResponseBodyBytes = response.ContentLength ?? 0;
    }

    private async Task TransformAsync(HttpContext context)
    {
        foreach (var transform in transforms.Response)
            transform.Apply(context.Response.Headers, context.Response.StatusCode);
        foreach (var run in transforms.ResponseDelegates)
            await run(new(context, null, context.RequestAborted));
    }
}
