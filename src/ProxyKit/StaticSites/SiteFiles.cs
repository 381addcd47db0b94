using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using ProxyKit.Compression;
using ProxyKit.Transforms;

namespace ProxyKit.StaticSites;

/// <summary>Answers with files, over ASP.NET Core's own file results: ranges, validators, HEAD (RFC 9110 §13, §14).</summary>
/// <param name="transforms">The route's.</param>
/// <param name="compression">The route's; null for none.</param>
internal sealed class SiteFiles(RouteTransforms transforms, ResponseCompression? compression)
{
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

    /// <param name="context">The request.</param>
    /// <param name="file">What is sent, and closed then.</param>
    /// <param name="contentType">The file's, or that of the file it has been compressed from.</param>
    /// <param name="cacheControl">Who may keep it, and how long; empty for nothing.</param>
    /// <param name="encoding">How it is compressed; null for not.</param>
    public Task SendAsync(HttpContext context, FileStream file, string contentType, string cacheControl, string? encoding = null) =>
        // What is compressed already has tags of its own that end as those of compression do: it is not to take them for its own.
        compression is null || encoding is not null
            ? WriteAsync(context, file, contentType, cacheControl, encoding)
            : compression.InvokeAsync(context, context => WriteAsync(context, file, contentType, cacheControl, encoding: null));

    private async Task WriteAsync(HttpContext context, FileStream file, string contentType, string cacheControl, string? encoding)
    {
        var response = context.Response;
        if (cacheControl.Length > 0)
            response.Headers.CacheControl = cacheControl;
        if (encoding is not null)
            response.Headers.ContentEncoding = encoding;
        response.Headers.XContentTypeOptions = "nosniff";
        if (transforms.Response.Length + transforms.ResponseDelegates.Length > 0)
            response.OnStarting(() => TransformAsync(context));

        var length = file.Length;
        var modified = System.IO.File.GetLastWriteTimeUtc(file.SafeFileHandle);
        modified = modified.AddTicks(-(modified.Ticks % TimeSpan.TicksPerSecond)); // HTTP dates have no fractions
        // The same as ASP.NET Core's static files have. Each encoding is a representation of its own (RFC 9110 §8.8.3.3).
        var tag = new EntityTagHeaderValue(string.Create(CultureInfo.InvariantCulture, $"\"{modified.ToFileTimeUtc() ^ length:x}{(encoding is null ? "" : "-")}{encoding}\""));
        await TypedResults.Stream(file, contentType, fileDownloadName: null, modified, tag, enableRangeProcessing: true).ExecuteAsync(context);

        if (response.StatusCode is StatusCodes.Status200OK or StatusCodes.Status206PartialContent)
        {
            // A whole one may have been compressed on its way, and have another length now.
            if (HttpMethods.IsGet(context.Request.Method))
                context.Features.Get<ProxyContext>()!.ResponseBodyBytes = response.StatusCode == StatusCodes.Status200OK ? length : response.ContentLength ?? 0;
            return;
        }
        // What had no body.
        if (response.HasStarted)
            return;
        response.Headers.Remove(HeaderNames.ContentEncoding);
        // A refusal that a cache kept for a year would be everybody's: one odd Range or If-Match takes the file from all (CPDoS).
        if (response.StatusCode != StatusCodes.Status304NotModified)
            response.Headers.CacheControl = "no-store";
    }

    private async Task TransformAsync(HttpContext context)
    {
        foreach (var transform in transforms.Response)
            transform.Apply(context.Response.Headers, context.Response.StatusCode, Forwarding.HeaderText.For(context.GetProxyContext()?.Cluster.HttpClient.ResponseHeaderEncoding));
        foreach (var run in transforms.ResponseDelegates)
            await run(new(context, null, context.RequestAborted));
    }
}
