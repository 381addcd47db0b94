using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Transforms;
using HeaderStringValues = System.Net.Http.Headers.HeaderStringValues;

namespace ProxyKit.Forwarding;

/// <summary>Copies the response's header section to the client's, less what is this hop's business, with public addresses in place of internal ones.</summary>
internal sealed class ResponseHeaders(RouteTransforms transforms, ReverseProxyOptions options)
{
    private readonly ViaHeader _via = new(options.Pseudonym);
    private readonly HashSet<string> _hidden = new(options.HiddenResponseHeaders, StringComparer.OrdinalIgnoreCase);

    /// <summary>Null, or what is wrong with the framing of the response (RFC 9112 §6.1).</summary>
    public static string? Check(HttpResponseMessage response)
    {
        var status = (int)response.StatusCode;
        if (status < 100 || status == 101 && response.RequestMessage?.Headers.Contains("Upgrade") != true)
            return "a 101 that nobody asked for";
        if (response.Headers.NonValidated.TryGetValues("Transfer-Encoding", out var codings)
            && (codings.Count != 1 || !codings.ToString().Equals("chunked", StringComparison.OrdinalIgnoreCase)))
            return $"the Transfer-Encoding '{codings}'";
        return null;
    }

    public void Copy(HttpContext context, HttpResponseMessage response, LocationRewriter location)
    {
        var target = context.Response;
        var status = (int)response.StatusCode;
        target.StatusCode = status;
        var headers = target.Headers;

        string[]? nominated = null;
        if (response.Headers.NonValidated.TryGetValues("Connection", out var connection))
            nominated = HeaderRules.Nominated(ToStringValues(connection));

        StringValues via = default;
        if (transforms.CopyResponseHeaders)
        {
            foreach (var (name, values) in response.Headers.NonValidated)
                CopyField(name, values);
            foreach (var (name, values) in response.Content.Headers.NonValidated)
                CopyField(name, values);
        }
        headers["Via"] = _via.Append(via, response.Version);

        void CopyField(string name, HeaderStringValues values)
        {
            var rule = HeaderRules.ForResponse(name);
            if (rule == HeaderRule.Drop || _hidden.Contains(name)
                || (nominated is not null && HeaderRules.IsNominated(nominated, name))
                || (transforms.AllowedResponseHeaders is { } allowed && !allowed.Contains(name)))
                return;
            var value = ToStringValues(values);
            if (rule == HeaderRule.Special && !CopySpecial(context, response, name, ref value, ref via, location))
                return;
            value = WithoutControls(value);
            headers[name] = headers.TryGetValue(name, out var before) && before.Count > 0 ? StringValues.Concat(before, value) : value;
        }
    }

    private bool CopySpecial(HttpContext context, HttpResponseMessage response, string name, ref StringValues value, ref StringValues via, LocationRewriter location)
    {
        switch (name.Length)
        {
            case 3: // Via
                via = value;
                return false;
            case 14: // Content-Length: not beside Transfer-Encoding (RFC 9112 §6.3), and not where there can be no content (RFC 9110 §8.6)
                return (int)response.StatusCode is >= 200 and not 204 and not 205 && response.Headers.TransferEncodingChunked != true;
            case 25: // Strict-Transport-Security: this host's own policy wins
                return !context.Response.Headers.ContainsKey(name);
            case 10 when transforms.RewriteCookies: // Set-Cookie
                value = location.Cookies(value);
                return true;
            case 7 when transforms.RewriteLocation: // Refresh
                value = location.Refresh(value);
                return true;
            case 8 or 16 when transforms.RewriteLocation: // Location, Content-Location
                value = location.Location(value);
                return true;
            default:
                return true;
        }
    }

    /// <summary>Copies the trailer section, when the client's connection can carry one.</summary>
    public void CopyTrailers(HttpResponseMessage response, IHeaderDictionary target)
    {
        if (!transforms.CopyTrailers)
            return;
        foreach (var (name, values) in response.TrailingHeaders.NonValidated)
        {
            if (HeaderRules.IsAllowedTrailer(name) && (transforms.AllowedTrailers is not { } allowed || allowed.Contains(name)))
                target[name] = WithoutControls(ToStringValues(values));
        }
    }

    public static StringValues ToStringValues(HeaderStringValues values)
    {
        if (values.Count <= 1)
            return values.ToString();
        var array = new string[values.Count];
        var i = 0;
        foreach (var value in values)
            array[i++] = value;
        return array;
    }

    // Kestrel throws at controls; a lenient upstream's must not turn its whole response into an error (RFC 9110 §5.5: replace with SP).
    private static StringValues WithoutControls(StringValues value)
    {
        if (value.Count == 1)
            return RequestGuard.HasControls(value.ToString()) ? Clean(value.ToString()) : value;
        for (var i = 0; i < value.Count; i++)
        {
            if (value[i] is { } line && RequestGuard.HasControls(line))
                return value.Select(v => Clean(v!)).ToArray();
        }
        return value;

        static string Clean(string text) => string.Create(text.Length, text, static (span, text) =>
        {
            for (var i = 0; i < span.Length; i++)
                span[i] = text[i] is '\t' or >= ' ' and not '\u007f' ? text[i] : ' ';
        });
    }
}
