using System.Net;
using System.Text;
using ProxyKit.Configuration;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>
/// Parses the header section of a script's answer (RFC 3875 §6.3) into a message. Strict where leniency splits responses; lines may end with LF alone, as scripts
/// write them.
/// </summary>
internal sealed class CgiHeadParser(HttpResponseMessage message)
{
    public const int MaxLength = 64 * 1024;
    public const int MaxFields = 200;

    private int _fields;
    private bool _hasStatus, _hasLocation;

    /// <summary>How much of what was received has been parsed: at the end, where the body begins.</summary>
    public int Length { get; private set; }

    /// <summary>The body's announced length.</summary>
    public long? ContentLength { get; private set; }

    /// <summary>Goes on parsing what has been received from the beginning. False when more must be received.</summary>
    /// <exception cref="UpstreamException">It is not a header section.</exception>
    public bool TryParse(ReadOnlySpan<byte> received)
    {
        while (true)
        {
            var rest = received[Length..];
            var end = rest.IndexOf((byte)'\n');
            if (Length + (end < 0 ? rest.Length : end + 1) > MaxLength)
                throw FastCgiFailure.Invalid($"a header section of more than {MaxLength / 1024} KB");
            if (end < 0)
                return false;
            Length += end + 1;
            var line = rest[..(end > 0 && rest[end - 1] == '\r' ? end - 1 : end)];
            if (line.IsEmpty)
            {
                End();
                return true;
            }
            ParseField(line);
        }
    }

    private void End()
    {
        if (_fields == 0)
            throw FastCgiFailure.Invalid("an empty header section");
        if (!_hasStatus)
            message.StatusCode = _hasLocation ? HttpStatusCode.Found : HttpStatusCode.OK; // RFC 3875 §6.2.3, as nginx does
        if (message.StatusCode == HttpStatusCode.NoContent)
            message.Content.Headers.Remove("Content-Length"); // RFC 9110 §8.6
    }

    private void ParseField(ReadOnlySpan<byte> line)
    {
        if (++_fields > MaxFields)
            throw FastCgiFailure.Invalid($"more than {MaxFields} header fields");
        var colon = line.IndexOf((byte)':');
        if (colon < 0)
            throw FastCgiFailure.Invalid("a header line without a colon"); // most folded lines among them (RFC 9112 §5.2)
        var name = Encoding.Latin1.GetString(line[..colon]);
        if (!Tokens.IsToken(name))
            throw FastCgiFailure.Invalid("a header name that is not a token");
        var value = Encoding.Latin1.GetString(line[(colon + 1)..].Trim(" \t"u8));
        if (RequestGuard.HasControls(value))
            throw FastCgiFailure.Invalid("a control character in a header value");

        switch (name.Length)
        {
            case 6 when name.Equals("Status", StringComparison.OrdinalIgnoreCase):
                ParseStatus(value);
                return;
            case 14 when name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase):
                ParseContentLength(value);
                return;
            case 8 when name.Equals("Location", StringComparison.OrdinalIgnoreCase):
                _hasLocation = true;
                break;
        }
        // The framing is FastCGI's; what a script says of the connection is about another one.
        if (HeaderRules.ForResponse(name) == HeaderRule.Drop)
            return;
        if (!message.Headers.TryAddWithoutValidation(name, value))
            message.Content.Headers.TryAddWithoutValidation(name, value);
    }

    // RFC 3875 §6.3.3: three digits, then perhaps a reason
    private void ParseStatus(string value)
    {
        if (value.Length < 3 || !char.IsAsciiDigit(value[0]) || !char.IsAsciiDigit(value[1]) || !char.IsAsciiDigit(value[2]) || (value.Length > 3 && value[3] is not (' ' or '\t')))
            throw FastCgiFailure.Invalid($"the status '{value}'");
        var status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + value[2] - '0';
        // Interim responses are the server's business, and 101 would be a switch that nobody asked for.
        if (status is < 200 or > 599)
            throw FastCgiFailure.Invalid($"the status '{value}'");
        if (_hasStatus && status != (int)message.StatusCode)
            throw FastCgiFailure.Invalid("two statuses that differ");
        _hasStatus = true;
        message.StatusCode = (HttpStatusCode)status;
        if (value.Length > 4 && !value.AsSpan(4).Equals(message.ReasonPhrase, StringComparison.Ordinal))
            message.ReasonPhrase = value[4..].Trim();
    }

    private void ParseContentLength(string value)
    {
        if (value.Length == 0 || value.AsSpan().ContainsAnyExceptInRange('0', '9') || !long.TryParse(value, out var length))
            throw FastCgiFailure.Invalid($"the Content-Length '{value}'");
        if (ContentLength is { } before && before != length)
            throw FastCgiFailure.Invalid("two Content-Lengths that differ");
        if (ContentLength is null)
            message.Content.Headers.TryAddWithoutValidation("Content-Length", value);
        ContentLength = length;
    }
}
