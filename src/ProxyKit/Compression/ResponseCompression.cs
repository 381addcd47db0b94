using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using ProxyKit.Caching;
using ProxyKit.Forwarding;

namespace ProxyKit.Compression;

/// <summary>
/// The stage that compresses responses: chooses a coding for the request, has conditions be about the upstream's own entity tags, and puts a <see cref="CompressedBody"/> in the place of the response's body.
/// </summary>
internal sealed class ResponseCompression
{
    private const int MaxKnown = 64, MaxKnownLength = 100;

    private readonly CompressionConfig _config;
    private readonly CompressionServices _services;
    private readonly CompressibleTypes _types;
    private readonly IContentCoding[] _codings;
    private readonly int[] _levels;
    private readonly ForwarderServices _forwarder;
    private readonly ResponseDecompression? _decompression;
    // Nearly all clients say one of a few things.
    private readonly ConcurrentDictionary<string, IContentCoding?> _chosen = new(StringComparer.Ordinal);
    private int _chosenCount;

    public ResponseCompression(CompressionConfig config, ForwarderServices services)
    {
        _config = config;
        _services = services.Compression;
        _forwarder = services;
        _decompression = config.Decompress ? new(config, services.Compression) : null;
        _types = new(config);
        _codings = config.Codings.Count == 0 ? [.. _services.Codings] : [.. config.Codings.Select(name => _services.Find(name)!)];
        _levels = [.. _codings.Select(coding => config.Levels.TryGetValue(coding.Name, out var level) ? int.Parse(level, CultureInfo.InvariantCulture) : coding.DefaultLevel)];
    }

    /// <summary>Whether what the upstream has compressed unasked is decoded for who does not accept it.</summary>
    public bool Decodes => _decompression is not null;

    /// <summary>The names of the codings.</summary>
    public IEnumerable<string> Codings => _codings.Select(coding => coding.Name);

    /// <summary>The coding that is used for a request, if the response can be compressed; null for none.</summary>
    public string? Choose(HttpRequest request) => ChooseCoding(request)?.Name;

    /// <summary>Whether a response is one that is compressed for those who accept it.</summary>
    public bool IsCompressible(int status, IHeaderDictionary headers) =>
        IsCompressible(status, headers.ContentType, headers.ContentEncoding, headers.CacheControl, headers.ContentLength);

    /// <inheritdoc cref="IsCompressible(int, IHeaderDictionary)"/>
    public bool IsCompressible(int status, StringValues contentType, StringValues contentEncoding, StringValues cacheControl, long? contentLength) =>
        status != StatusCodes.Status206PartialContent && DependsOnRequest(status, contentType, contentEncoding, cacheControl, contentLength);

    /// <summary>Runs what is inside of this stage.</summary>
    public Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        // A tunnel has no representation.
        return HttpMethods.IsConnect(request.Method) || request.Headers.Upgrade.Count > 0 || (_decompression is null && !IsUsedFor(request))
            ? next(context)
            : RunAsync(context, next);
    }

    private async Task RunAsync(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        var coding = ChooseCoding(request);
        var conditions = Conditions.Translate(request, _codings, _decompression is not null);
        var inner = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        var body = new CompressedBody(context, inner, this, coding, conditions);
        var decoded = _decompression is null ? null : new DecodedBody(context, body, _decompression);
        context.Features.Set<IHttpResponseBodyFeature>((IHttpResponseBodyFeature?)decoded ?? body);
        var isWhole = false;
        try
        {
            await next(context);
            // What broke off must not look like a whole one.
            // The cache's own request shares its ProxyContext with a client's, who may have left.
            isWhole = CacheResponseFeature.IsResponseOf(context)
                ? !context.RequestAborted.IsCancellationRequested
                : context.Features.Get<ProxyContext>() is not { FailureClass: FailureClass.ResponseStarted };
            if (isWhole && decoded is not null)
                isWhole = await TryFinishAsync(decoded, context);
            if (isWhole)
                await body.FinishAsync();
        }
        finally
        {
            if (!isWhole && CacheResponseFeature.IsResponseOf(context))
                context.Abort(); // without its tail it must not be stored
            if (!isWhole && decoded is not null)
                await decoded.AbandonAsync();
            body.Dispose();
            context.Features.Set(inner);
            conditions.Restore(request);
            if (body.IsEncoded)
                _services.Metrics.Compressed(context.Features.Get<ProxyContext>()?.Route.RouteId ?? "", coding!.Name, body.BytesIn, body.BytesOut);
        }
    }

    private async Task<bool> TryFinishAsync(DecodedBody decoded, HttpContext context)
    {
        try
        {
            await decoded.FinishAsync();
            return true;
        }
        catch (ResponseBodyException e)
        {
            // The forwarder has gone, believing that all was well.
            var proxy = context.Features.Get<ProxyContext>()!;
            (proxy.Error, proxy.Exception) = (e.Error, e);
            var isTakenBack = DecodedBody.TryTakeBack(context);
            proxy.FailureClass = isTakenBack ? FailureClass.Answered : FailureClass.ResponseStarted;
            _forwarder.Log.Failed(proxy, context, e);
            if (isTakenBack)
            {
                context.Response.Clear();
                context.Response.StatusCode = StatusCodes.Status502BadGateway;
            }
            else
            {
                Forwarder.Abort(context, e.Error);
            }
            return false;
        }
    }

    /// <summary>Begins to compress.</summary>
    public IContentEncoder CreateEncoder(IContentCoding coding) => coding.CreateEncoder(_levels[Array.IndexOf(_codings, coding)]);

    /// <summary>Whether the client's <c>Accept-Encoding</c> has a say in the response; it does in that to a part (RFC 9110 §15.3.7), too.</summary>
    public bool DependsOnRequest(int status, IHeaderDictionary headers) => DependsOnRequest(status, headers, headers.ContentLength);

    /// <inheritdoc cref="DependsOnRequest(int, IHeaderDictionary)"/>
    public bool DependsOnRequest(int status, IHeaderDictionary headers, long? length) =>
        DependsOnRequest(status, headers.ContentType, headers.ContentEncoding, headers.CacheControl, length);

    private bool DependsOnRequest(int status, StringValues contentType, StringValues contentEncoding, StringValues cacheControl, long? contentLength) =>
        status is >= 200 and not 204 and not 205 and not 304
        && (contentLength is not { } length || status == StatusCodes.Status206PartialContent || (length > 0 && length >= _config.MinimumSize))
        && _types.Contains(contentType)
        && (contentEncoding.Count == 0 || IsIdentity(contentEncoding))
        && !ContentFields.IsNoTransform(cacheControl);

    /// <summary>Whether responses to it may be compressed at all, whatever is accepted.</summary>
    public bool IsUsedFor(HttpRequest request) => _config.EnableForHttps || !request.IsHttps;

    private IContentCoding? ChooseCoding(HttpRequest request) =>
        IsUsedFor(request) && !ContentFields.IsNoTransform(request.Headers.CacheControl) ? ChooseCoding(request.Headers.AcceptEncoding) : null;

    private IContentCoding? ChooseCoding(StringValues accepted)
    {
        if (accepted is not [{ Length: <= MaxKnownLength } line])
            return AcceptEncoding.Choose(accepted, _codings);
        if (!_chosen.TryGetValue(line, out var coding))
        {
            coding = AcceptEncoding.Choose(accepted, _codings);
            if (Volatile.Read(ref _chosenCount) < MaxKnown && _chosen.TryAdd(line, coding))
                Interlocked.Increment(ref _chosenCount);
        }
        return coding;
    }

    private static bool IsIdentity(StringValues contentEncoding) => contentEncoding is [var only] && (string.IsNullOrEmpty(only) || only.Equals("identity", StringComparison.OrdinalIgnoreCase));
}
