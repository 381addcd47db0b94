using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using ProxyKit.Diagnostics;
using ProxyKit.Forwarding;

namespace ProxyKit.InternalRedirects;

/// <summary>
/// Answers with a file of this machine where the upstream's response names one; the upstream is free before the file is sent. What the file is, its length, ranges and
/// validators, is ASP.NET Core's business; what it is called, whether it may be kept and by whom remains the upstream's.
/// </summary>
internal sealed class FileDelivery(InternalLocations locations, ResponseDelivery delivery, ErrorResponder errors, ForwarderServices services)
{
    // They describe the upstream's own content, which nobody will see. nginx keeps fewer; security headers are worth keeping.
    private static readonly string[] s_ofTheContent =
    [
        HeaderNames.ContentLength, HeaderNames.ContentEncoding, HeaderNames.ContentRange, HeaderNames.ContentMD5, HeaderNames.ContentLocation, "Content-Digest", "Repr-Digest", "Digest",
        HeaderNames.AcceptRanges, HeaderNames.ETag, HeaderNames.LastModified, HeaderNames.Age, HeaderNames.Location, AccelHeaders.Redirect, AccelHeaders.SendFile,
    ];

    private static readonly FileExtensionContentTypeProvider s_types = new();

    public static FileDelivery? Create(RouteConfig route, ResponseDelivery delivery, ErrorResponder errors, ForwarderServices services) =>
        route is { InternalRedirects.Count: 0, SendFile.Count: 0 } ? null : new(new(route, services.Files), delivery, errors, services);

    /// <summary>Null when the response names no file.</summary>
    public Task? TryAnswer(HttpContext context, ProxyContext proxy, Attempt attempt)
    {
        var headers = attempt.Response!.Headers;
        if (locations.HasRedirects && headers.Get(AccelHeaders.Redirect) is { Count: > 0 } redirect)
            return AnswerAsync(context, proxy, attempt, AccelHeaders.Redirect, redirect, locations.FindRedirected(redirect.ToString()));
        if (locations.HasSendFile && headers.Get(AccelHeaders.SendFile) is { Count: > 0 } path)
            return AnswerAsync(context, proxy, attempt, AccelHeaders.SendFile, path, locations.FindSent(path.ToString()));
        return null;
    }

    private async Task AnswerAsync(HttpContext context, ProxyContext proxy, Attempt attempt, string header, StringValues value, (FileInfo? File, string Problem) found)
    {
        if (found.File is { } file)
        {
            await SendAsync(context, proxy, attempt, file);
            return;
        }
        var status = attempt.Response!.StatusCode;
        services.Log.InternalFileRefused(proxy.Route.RouteId, attempt.Destination?.Name, header, LogText.Quote(value.ToString()), found.Problem);
        proxy.Model.Affinity?.Deliver(context, proxy, attempt.Destination);
        await attempt.EndAsync();
        await errors.ReplaceAsync(context, StatusCodes.Status404NotFound, status);
    }

    private async Task SendAsync(HttpContext context, ProxyContext proxy, Attempt attempt, FileInfo file)
    {
        foreach (var name in s_ofTheContent)
        {
            while (attempt.Response!.Headers.Get(name).Count > 0)
                attempt.Response.Headers.Remove(name);
        }
        if (!await delivery.DeliverHeadersAsync(context, proxy, attempt))
            return;
        await attempt.EndAsync();

        proxy.AllowsResponseBuffering = false; // it waits on a disk already
        context.Response.StatusCode = StatusCodes.Status200OK;
        if (context.Features.Get<IHttpResponseFeature>() is { } feature)
            feature.ReasonPhrase = null;
        var type = context.Response.ContentType is { Length: > 0 } sent ? sent : (s_types.TryGetContentType(file.Name, out var known) ? known : "application/octet-stream");
        try
        {
            var result = Result(file, type);
            if (proxy.ResponseRate == 0)
                await result.ExecuteAsync(context);
            else
                await PacedStream.RunAsync(context, proxy.ResponseRate, services.Clocks.Time, clock: null, () => result.ExecuteAsync(context));
        }
        catch (Exception e)
        {
            throw new PhaseException(Phase.ResponseTransforms, e);
        }
    }

    private static IResult Result(FileInfo file, string type)
    {
        var modified = new DateTimeOffset(file.LastWriteTimeUtc);
        var tag = new EntityTagHeaderValue(string.Create(CultureInfo.InvariantCulture, $"\"{file.LastWriteTimeUtc.Ticks:x}-{file.Length:x}\""));
        // Where nobody can tell a pipe from a file: it has no length, and is never opened.
        return file.Length == 0
            ? TypedResults.Bytes(ReadOnlyMemory<byte>.Empty, type, lastModified: modified, entityTag: tag)
            : TypedResults.PhysicalFile(file.FullName, type, lastModified: modified, entityTag: tag, enableRangeProcessing: true);
    }
}
