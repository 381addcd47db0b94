using System.Text;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;
using ProxyKit.Configuration;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>
/// Parses the header section of a script's answer (RFC 3875 §6.3). Strict where leniency splits responses; lines may end with LF alone, as scripts write them.
/// It is used again: strings of the section before are taken where the bytes are equal, as <see cref="Forwarding.Http1.Http1Response"/> does.
/// </summary>
internal sealed class CgiHeadParser
{
    public const int MaxLength = 64 * 1024;
    public const int MaxFields = Forwarding.Http1.Http1Response.MaxFields;

    private HeaderField[] _previous = new HeaderField[16];
    private int _fields;
    private bool _hasStatus, _hasLocation;
    private StringValues _connection;

    public int StatusCode { get; private set; } = 200;

    /// <summary>Null when it is the usual one, or none.</summary>
    public string? ReasonPhrase { get; private set; }

    /// <summary>What is meant for the client.</summary>
    public HeaderList Headers { get; } = new();

    /// <summary>How much of what was received has been parsed: at the end, where the body begins.</summary>
    public int Length { get; private set; }

    /// <summary>The body's announced length.</summary>
    public long? ContentLength { get; private set; }

    /// <summary>Makes ready for another header section.</summary>
    public void Reset()
    {
        BeginSection();
        Length = 0;
    }

    /// <summary>Makes ready for the header section that follows an interim one.</summary>
    public void BeginSection()
    {
        // The fields of the last one serve as a guess at those of the next.
        var fields = Headers.Fields;
        if (fields.Length > _previous.Length)
            _previous = new HeaderField[fields.Length];
        fields.CopyTo(_previous);
        Headers.Clear();
        (_fields, _hasStatus, _hasLocation, _connection, ContentLength) = (0, false, false, default, null);
        (StatusCode, ReasonPhrase) = (200, null);
    }

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
        if (!_hasStatus && _hasLocation)
            StatusCode = 302; // RFC 3875 §6.2.3, as nginx does
        if (StatusCode == 204)
            Headers.Remove("Content-Length"); // RFC 9110 §8.6
        if (_connection.Count == 0 || HeaderRules.Nominated(_connection) is not { } nominated)
            return;
        foreach (var name in nominated)
        {
            while (Headers.Get(name).Count > 0)
                Headers.Remove(name);
        }
    }

    private void ParseField(ReadOnlySpan<byte> line)
    {
        if (++_fields > MaxFields)
            throw FastCgiFailure.Invalid($"more than {MaxFields} header fields");
        var colon = line.IndexOf((byte)':');
        if (colon < 0)
            throw FastCgiFailure.Invalid("a header line without a colon"); // most folded lines among them (RFC 9112 §5.2)
        var nameBytes = line[..colon];
        var valueBytes = line[(colon + 1)..].Trim(" \t"u8);
        string? name = null, value = null;
        var rule = HeaderRule.Unknown;
        if (Headers.Count < _previous.Length && _previous[Headers.Count] is { Name: { } guess } field && Ascii.Equals(nameBytes, guess))
        {
            (name, rule) = (guess, field.Rule);
            if (field.Value.ToString() is var other && Ascii.Equals(valueBytes, other))
                value = other;
        }
        if (name is null)
        {
            name = Encoding.Latin1.GetString(nameBytes);
            if (!Tokens.IsToken(name))
                throw FastCgiFailure.Invalid("a header name that is not a token");
            rule = HeaderRules.ForResponse(name);
        }
        if (value is null)
        {
            value = Encoding.Latin1.GetString(valueBytes);
            if (RequestGuard.HasControls(value))
                throw FastCgiFailure.Invalid("a control character in a header value");
        }

        switch (name.Length)
        {
            case 6 when name.Equals("Status", StringComparison.OrdinalIgnoreCase):
                ParseStatus(value);
                return;
            case 14 when name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase):
                ParseContentLength(name, value, rule);
                return;
            case 10 when name.Equals("Connection", StringComparison.OrdinalIgnoreCase):
                _connection = StringValues.Concat(_connection, value);
                return;
            case 8 when name.Equals("Location", StringComparison.OrdinalIgnoreCase):
                _hasLocation = true;
                break;
        }
        // The framing is FastCGI's; what a script says of the connection is about another one.
        if (rule != HeaderRule.Drop)
            Headers.Add(name, value, rule);
    }

    // RFC 3875 §6.3.3: three digits, then perhaps a reason
    private void ParseStatus(string value)
    {
        if (value.Length < 3 || !char.IsAsciiDigit(value[0]) || !char.IsAsciiDigit(value[1]) || !char.IsAsciiDigit(value[2]) || (value.Length > 3 && value[3] is not (' ' or '\t')))
            throw FastCgiFailure.Invalid($"the status '{value}'");
        var status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + value[2] - '0';
        // A 101 would switch protocols without a request to.
        if (status is < 100 or 101 or > 599)
            throw FastCgiFailure.Invalid($"the status '{value}'");
        if (_hasStatus && status != StatusCode)
            throw FastCgiFailure.Invalid("two statuses that differ");
        _hasStatus = true;
        StatusCode = status;
        if (value.Length > 4 && !value.AsSpan(4).Equals(ReasonPhrases.GetReasonPhrase(status), StringComparison.Ordinal))
            ReasonPhrase = value[4..].Trim();
    }

    private void ParseContentLength(string name, string value, HeaderRule rule)
    {
        if (value.Length == 0 || value.AsSpan().ContainsAnyExceptInRange('0', '9') || !long.TryParse(value, out var length))
            throw FastCgiFailure.Invalid($"the Content-Length '{value}'");
        if (ContentLength is { } before && before != length)
            throw FastCgiFailure.Invalid("two Content-Lengths that differ");
        if (ContentLength is null)
            Headers.Add(name, value, rule);
        ContentLength = length;
    }
}
