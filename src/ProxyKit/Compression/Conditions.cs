using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Compression;

/// <summary>
/// A request's conditions, as the client sent them. On its way to the upstream the request has them with the upstream's own entity tags; on its way back, with the client's.
/// </summary>
internal readonly struct Conditions
{
    private readonly IContentCoding[] _codings;
    private readonly bool _decodes;
    private readonly StringValues _acceptEncoding;
    private readonly StringValues _ifNoneMatch;
    private readonly StringValues _ifMatch;
    private readonly StringValues _ifRange;
    private readonly StringValues _range;

    private Conditions(HttpRequest request, IContentCoding[] codings, bool decodes)
    {
        var headers = request.Headers;
        (_codings, _decodes) = (codings, decodes);
        _acceptEncoding = headers.AcceptEncoding;
        (_ifNoneMatch, _ifMatch, _ifRange, _range) = (headers.IfNoneMatch, headers.IfMatch, headers.IfRange, headers.Range);
    }

    /// <summary>Has the request's conditions be about the upstream's tags.</summary>
    /// <param name="request">The request.</param>
    /// <param name="codings">The codings that responses may have been compressed with.</param>
    /// <param name="decodes">Whether they may have been decompressed, and then perhaps compressed again.</param>
    public static Conditions Translate(HttpRequest request, IContentCoding[] codings, bool decodes)
    {
        var conditions = new Conditions(request, codings, decodes);
        if (conditions._ifNoneMatch.Count > 0 || conditions._ifMatch.Count > 0 || conditions._ifRange.Count > 0)
            conditions.Translate(request);
        return conditions;
    }

    /// <summary>The request is the client's again.</summary>
    public void Restore(HttpRequest request)
    {
        var headers = request.Headers;
        if (_ifNoneMatch.Count > 0)
            headers.IfNoneMatch = _ifNoneMatch;
        if (_ifMatch.Count > 0)
            headers.IfMatch = _ifMatch;
        if (_ifRange.Count > 0)
            (headers.IfRange, headers.Range) = (_ifRange, _range);
    }

    /// <summary>The tag under which the client knows what has not been modified; null if that is the upstream's own.</summary>
    public string? Find(string? tag, IContentCoding? chosen)
    {
        if (_ifNoneMatch.Count == 0)
            return null;
        return Find(tag, chosen, out var known) ?? (known || !_decodes || EncodedTags.Encode(tag, ResponseDecompression.Identity) is not { } decoded
            ? null
            : Find(decoded, chosen, out known) ?? (known ? decoded : null));
    }

    // isKnown: the client has it as it is.
    private string? Find(string? tag, IContentCoding? chosen, out bool isKnown)
    {
        isKnown = false;
        if (chosen is not null && EncodedTags.Encode(tag, chosen.Name) is { } expected && EncodedTags.Contains(_ifNoneMatch, expected))
            return expected;
        isKnown = tag is null || EncodedTags.Contains(_ifNoneMatch, tag);
        if (isKnown)
            return null;
        foreach (var coding in _codings)
        {
            if (IsAccepted(coding) && EncodedTags.Encode(tag, coding.Name) is { } encoded && EncodedTags.Contains(_ifNoneMatch, encoded))
                return encoded;
        }
        return null;
    }

    private void Translate(HttpRequest request)
    {
        var headers = request.Headers;
        var isRead = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method);
        var (ifNoneMatch, ifMatch) = (_ifNoneMatch, _ifMatch);
        foreach (var coding in _codings)
        {
            // A cache asks about all that it has stored; a 304 must not name what this client cannot read (RFC 9111 §4.3.4).
            if (!isRead || IsAccepted(coding))
                ifNoneMatch = EncodedTags.Decode(ifNoneMatch, coding.Name);
            ifMatch = EncodedTags.Decode(ifMatch, coding.Name);
            DropRangeOf(headers, coding.Name);
        }
        if (_decodes)
        {
            ifNoneMatch = EncodedTags.Decode(ifNoneMatch, ResponseDecompression.Identity);
            ifMatch = EncodedTags.Decode(ifMatch, ResponseDecompression.Identity);
            DropRangeOf(headers, ResponseDecompression.Identity);
        }
        if (_ifNoneMatch.Count > 0)
            headers.IfNoneMatch = ifNoneMatch;
        if (_ifMatch.Count > 0)
            headers.IfMatch = ifMatch;
    }

    // The client wants more of bytes that nobody has: it gets all of them (RFC 9110 §13.1.5).
    private void DropRangeOf(IHeaderDictionary headers, string coding)
    {
        if (EncodedTags.Decode(_ifRange, coding) == _ifRange)
            return;
        headers.Remove("If-Range");
        headers.Remove("Range");
    }

    private bool IsAccepted(IContentCoding coding) => AcceptEncoding.Quality(_acceptEncoding, coding.Name) > 0;
}
