using System.Collections.Frozen;
using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;
using ProxyKit.Diagnostics;
using ProxyKit.Transforms;

namespace ProxyKit.Forwarding;

/// <summary>Copies a response's header section to the client's, less what is this hop's business, with public addresses in place of internal ones.</summary>
internal sealed class ResponseHeaders(RouteConfig route, RouteTransforms transforms, ReverseProxyOptions options, ProxyLog log)
{
    private readonly ViaHeader _via = new(options.Pseudonym);
    private readonly FrozenSet<string> _hidden = options.HiddenResponseHeaders.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
    // What a transform has to do with in the final response, whatever that is, and what the cache keeps for itself.
    private readonly FrozenSet<string> _notInterim = transforms.Response.Select(t => t.Name)
        .Concat(route.Cache is { } cache ? [cache.TagField, "Surrogate-Control"] : []).ToFrozenSet(StringComparer.OrdinalIgnoreCase);
    private int _fileIsIgnored;

    /// <summary>Whether interim responses are passed on.</summary>
    public bool RelaysInterim => options.RelayInterimResponses;

    /// <summary>Null, or what is wrong with the framing of the response (RFC 9112 §6.1).</summary>
    public static string? Check(UpstreamResponse response, bool upgradeRequested)
    {
        if (response.StatusCode < 100 || (response.StatusCode == 101 && !upgradeRequested))
            return "a 101 that nobody asked for";
        var codings = response.Headers.Get("Transfer-Encoding");
        if (codings.Count > 0 && !codings.ToString().Equals("chunked", StringComparison.OrdinalIgnoreCase))
            return $"the Transfer-Encoding '{RequestGuard.WithoutControls(codings.ToString())}'";
        return null;
    }

    public void Copy(HttpContext context, ProxyContext proxy, UpstreamResponse response, LocationRewriter location)
    {
        context.Response.StatusCode = response.StatusCode;
        var headers = context.Response.Headers;
        StringValues via = default;
        string? charset = null;
        // Kestrel writes our bytes; a server that encodes text itself needs text.
        var decoding = options.ConfigureKestrel ? null : HeaderText.For(proxy.Cluster.HttpClient.ResponseHeaderEncoding);
        if (transforms.CopyResponseHeaders)
        {
            var connection = response.Headers.All("Connection");
            var nominated = connection.Count > 0 ? HeaderRules.Nominated(connection) : null;
            // One bit for names that look alike: only they can be there already. What an app's middleware has set before may be any.
            var seen = headers.Count > 0 ? ulong.MaxValue : 0;
            foreach (ref readonly var field in response.Headers.Fields)
            {
                var name = field.Name;
                var rule = field.Rule == HeaderRule.Unknown ? HeaderRules.ForResponse(name) : field.Rule;
                if (rule == HeaderRule.Drop || IsHidden(name, nominated))
                    continue;
                var value = field.Value;
                if (rule == HeaderRule.Accel)
                {
                    Obey(proxy, name, value, ref charset);
                    continue;
                }
                if (rule == HeaderRule.Special && !CopySpecial(context, response, name, ref value, ref via, location))
                    continue;
                if (decoding is not null)
                    value = Array.ConvertAll(value.ToArray(), line => (string?)HeaderText.FromWire(line ?? "", decoding));
                var bit = 1UL << (((name.Length * 5) + (name[0] | 0x20) + (name[^1] | 0x20)) & 63);
                headers[name] = (seen & bit) != 0 && headers.TryGetValue(name, out var before) && before.Count > 0 ? StringValues.Concat(before, value) : value;
                seen |= bit;
            }
        }
        if (charset is not null)
            AccelHeaders.SetCharset(headers, charset);
        headers.Via = _via.Append(via, response.Version);
    }

    /// <summary>An interim response as the client gets it: without all that is looked at, rewritten or obeyed in a final one.</summary>
    public string Interim(int status, string? reason, HeaderList fields)
    {
        reason = reason is null || RequestGuard.HasControls(reason) ? ReasonPhrases.GetReasonPhrase(status) : reason;
        var head = new StringBuilder().Append(CultureInfo.InvariantCulture, $"HTTP/1.1 {status} {reason}\r\n");
        var nominated = HeaderRules.Nominated(fields.All("Connection"));
        foreach (ref readonly var field in fields.Fields)
        {
            if (transforms.CopyResponseHeaders && field.Rule == HeaderRule.Forward && !IsHidden(field.Name, nominated) && !_notInterim.Contains(field.Name))
                head.Append(field.Name).Append(": ").Append(field.Value.ToString()).Append("\r\n");
        }
        return head.Append("Via: ").Append(_via.Append(fields.All("Via"), HttpVersion.Version11).ToString()).Append("\r\n\r\n").ToString();
    }

    private bool IsHidden(string name, string[]? nominated) =>
        _hidden.Contains(name) || (nominated is not null && HeaderRules.IsNominated(nominated, name)) || transforms.AllowedResponseHeaders?.Contains(name) == false;

    private void Obey(ProxyContext proxy, string name, StringValues value, ref string? charset)
    {
        if (!AccelHeaders.IsFile(name))
            AccelHeaders.Obey(proxy, name, value, ref charset);
        else if (Interlocked.Exchange(ref _fileIsIgnored, 1) == 0) // where it is allowed, it has been obeyed before
            log.InternalFileIgnored(proxy.Route.RouteId, proxy.Destination?.Name, name);
    }

    private bool CopySpecial(HttpContext context, UpstreamResponse response, string name, ref StringValues value, ref StringValues via, LocationRewriter location)
    {
        switch (name.Length)
        {
            case 3: // Via
                via = StringValues.Concat(via, value);
                return false;
            case 14: // Content-Length: not beside Transfer-Encoding (RFC 9112 §6.3), and not where there can be no content (RFC 9110 §8.6)
                return response.StatusCode is >= 200 and not 204 and not 205 && context.Response.ContentLength is null && response.Headers.Get("Transfer-Encoding").Count == 0;
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
    public void CopyTrailers(UpstreamResponse response, IHeaderDictionary target)
    {
        if (!transforms.CopyTrailers)
            return;
        foreach (ref readonly var field in response.Trailers.Fields)
        {
            if (HeaderRules.IsAllowedTrailer(field.Name) && (transforms.AllowedTrailers is not { } allowed || allowed.Contains(field.Name)))
                target[field.Name] = StringValues.Concat(target[field.Name], field.Value);
        }
    }
}
