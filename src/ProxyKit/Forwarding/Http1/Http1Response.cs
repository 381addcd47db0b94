using System.Globalization;
using System.Net;
using System.Text;
using ProxyKit.Configuration;

namespace ProxyKit.Forwarding.Http1;

/// <summary>
/// Parses a response (RFC 9112) and decodes its body's framing. Strict where leniency smuggles. Strings of the previous response on the connection are used again
/// where the bytes are equal, as Kestrel does for requests.
/// </summary>
internal sealed partial class Http1Response(Http1Connection connection)
{
    // Some of the ways of a field to the client cost as much as there are fields of its name already.
    public const int MaxFields = 2000;

    private HeaderField[] _previous = new HeaderField[16];
    private int _headBytes, _interim;
    private bool _hasStatusLine, _isHttp10, _close, _keepAlive, _isHead;
    private bool _chunked, _untilClose;
    private long _remaining;          // of the body, or of the chunk
    private ChunkState _chunkState;
    private bool _complete;

    public int StatusCode { get; private set; }

    public string? ReasonPhrase { get; private set; }

    public Version Version { get; private set; } = HttpVersion.Version11;

    public long? ContentLength { get; private set; }

    public HeaderList Headers { get; } = new();

    public HeaderList Trailers { get; } = new();

    /// <summary>Whether the connection ends with this response.</summary>
    public bool IsLast => _close || _untilClose || (_isHttp10 && !_keepAlive);

    /// <summary>Whether the whole response has been read and the connection may carry another.</summary>
    public bool IsReusable => _complete && !IsLast;

    /// <summary>Makes ready for the response of another request.</summary>
    public void Begin(bool isHead)
    {
        _isHead = isHead;
        _interim = 0;
        Reset();
    }

    /// <summary>Parses what has been received. True when a final head is there; <paramref name="onContinue"/> is told of a 100 before it, <paramref name="interim"/> of others.</summary>
    public bool TryParse(TaskCompletionSource? onContinue, in InterimRelay interim)
    {
        while (TryParseHead())
        {
            if (StatusCode >= 200)
            {
                DetermineFraming();
                return true;
            }
            // RFC 9110 §15.2: any number of interim responses may come; this many do not.
            if (StatusCode == 101 || ++_interim > 32)
                throw Invalid(StatusCode == 101 ? "a 101 that nobody asked for" : "no end of interim responses");
            if (StatusCode == 100)
                onContinue?.TrySetResult();
            else
                interim.Relay(StatusCode, ReasonPhrase, Headers, _headBytes);
            Reset();
        }
        return false;
    }

    /// <summary>Takes note of what was received for the head.</summary>
    public void Received(int read)
    {
        if (!connection.Filled(read))
            throw new UpstreamException(ProxyError.Request, FailureClass.Unanswered, "The destination closed the connection before it had answered.");
    }

    private void Reset()
    {
        // The fields of the last response serve as a guess at those of this one.
        var fields = Headers.Fields;
        if (fields.Length > 0)
        {
            if (_previous.Length < fields.Length)
                _previous = new HeaderField[fields.Length];
            fields.CopyTo(_previous);
        }
        Headers.Clear();
        Trailers.Clear();
        _headBytes = 0;
        _hasStatusLine = _close = _keepAlive = _chunked = _untilClose = _complete = false;
        _chunkState = ChunkState.Size;
        ContentLength = null;
        ReasonPhrase = null;
    }

    // Takes whole lines; false when more must be received.
    private bool TryParseHead()
    {
        var received = connection.Received.Span;
        var position = 0;
        try
        {
            while (true)
            {
                var rest = received[position..];
                var end = rest.IndexOf((byte)'\n');
                if (_headBytes + (end < 0 ? rest.Length : end + 1) > connection.Pool.MaxHeadBytes)
                    throw TooLong();
                if (end < 0)
                    return false;
                _headBytes += end + 1;
                position += end + 1;
                var line = rest[..(end > 0 && rest[end - 1] == '\r' ? end - 1 : end)];
                if (!_hasStatusLine)
                {
                    // RFC 9112 §2.2: an empty line before the start-line may be skipped.
                    if (line.IsEmpty && _headBytes <= 4)
                        continue;
                    ParseStatusLine(line);
                    _hasStatusLine = true;
                }
                else if (line.IsEmpty)
                    return true;
                else
                    ParseField(line, Headers, _previous);
            }
        }
        finally
        {
            connection.Take(position);
        }
    }

    private bool TryReadLine(out ReadOnlySpan<byte> line, out bool hasCr)
    {
        var received = connection.Received.Span;
        var end = received.IndexOf((byte)'\n');
        hasCr = false;
        if (end < 0)
        {
            line = default;
            if (_headBytes + received.Length > connection.Pool.MaxHeadBytes)
                throw TooLong();
            return false;
        }
        _headBytes += end + 1;
        if (_headBytes > connection.Pool.MaxHeadBytes)
            throw TooLong();
        hasCr = end > 0 && received[end - 1] == '\r';
        line = received[..(hasCr ? end - 1 : end)];
        connection.Take(end + 1);
        return true;
    }

    // HTTP-version SP status-code SP [ reason-phrase ]
    private void ParseStatusLine(ReadOnlySpan<byte> line)
    {
        if (line.Length < 12 || !line.StartsWith("HTTP/1."u8) || line[7] is not ((byte)'0' or (byte)'1') || line[8] != ' '
            || !IsDigit(line[9]) || !IsDigit(line[10]) || !IsDigit(line[11]) || line[9] == '0' || (line.Length > 12 && line[12] != ' '))
            throw Invalid("no valid status line");
        _isHttp10 = line[7] == '0';
        Version = _isHttp10 ? HttpVersion.Version10 : HttpVersion.Version11;
        StatusCode = (line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0';
        var reason = line.Length > 13 ? line[13..] : default;
        if (!reason.IsEmpty && !Ascii.Equals(reason, Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(StatusCode)))
            ReasonPhrase = Encoding.Latin1.GetString(reason);
    }

    private static bool IsDigit(byte value) => value is >= (byte)'0' and <= (byte)'9';

    private static void ParseField(ReadOnlySpan<byte> line, HeaderList target, HeaderField[] guesses)
    {
        if (target.Count == MaxFields)
            throw Invalid($"more than {MaxFields} header fields");
        var colon = line.IndexOf((byte)':');
        if (colon <= 0)
            throw Invalid("a header line without a name"); // folded lines among them (RFC 9112 §5.2)
        var nameBytes = line[..colon];
        var valueBytes = line[(colon + 1)..].Trim(" \t"u8);

        string? name = null, value = null;
        var rule = HeaderRule.Unknown;
        var index = target.Count;
        if (index < guesses.Length && guesses[index].Name is { } guess && Ascii.Equals(nameBytes, guess))
        {
            name = guess;
            rule = guesses[index].Rule;
            if (guesses[index].Value is { Count: 1 } values && Ascii.Equals(valueBytes, values.ToString()))
                value = values.ToString();
        }
        if (name is null)
        {
            name = Encoding.Latin1.GetString(nameBytes);
            if (!Tokens.IsToken(name))
                throw Invalid("a header name that is not a token");
            rule = HeaderRules.ForResponse(name);
        }
        target.Add(
            name,
            // Kestrel throws at controls; a lenient upstream's must not turn its whole response into an error.
            value ?? RequestGuard.WithoutControls(Encoding.Latin1.GetString(valueBytes)), rule);
    }

    // RFC 9112 §6.3
    private void DetermineFraming()
    {
        string? length = null;
        var codings = 0;
        foreach (ref readonly var field in Headers.Fields)
        {
            if (field.Rule == HeaderRule.Forward)
                continue;
            switch (field.Name.Length)
            {
                case 10 when field.Name.Equals("Connection", StringComparison.OrdinalIgnoreCase):
                    var value = field.Value.ToString();
                    _close |= value.Contains("close", StringComparison.OrdinalIgnoreCase);
                    _keepAlive |= value.Contains("keep-alive", StringComparison.OrdinalIgnoreCase);
                    break;
                case 10 when field.Name.Equals("Keep-Alive", StringComparison.OrdinalIgnoreCase):
                    connection.KeepAlive = ParseKeepAlive(field.Value.ToString());
                    break;
                case 14 when field.Name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase):
                    var text = field.Value.ToString();
                    if (length is not null && length != text)
                        throw Invalid("two Content-Lengths that differ");
                    length = text;
                    break;
                case 17 when field.Name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase):
                    if (codings++ > 0 || !field.Value.ToString().Equals("chunked", StringComparison.OrdinalIgnoreCase) || _isHttp10)
                        throw Invalid($"the Transfer-Encoding '{field.Value}'");
                    break;
            }
        }
        long parsed = 0;
        if (length is not null && (!long.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out parsed) || parsed < 0))
            throw Invalid($"the Content-Length '{length}'");

        // A message with both is to be closed after: the two sides may not agree where it ended.
        _close |= codings > 0 && length is not null;
        if (_isHead || StatusCode is 204 or 304)
        {
            ContentLength = 0;
            _complete = true;
        }
        else if (codings > 0)
            _chunked = true;
        else if (length is null)
            _untilClose = true;
        else
        {
            ContentLength = _remaining = parsed;
            _complete = parsed == 0;
        }
    }

    // "timeout=5, max=100": one second less, since the upstream's clock began earlier.
    private static TimeSpan? ParseKeepAlive(string value)
    {
        var start = value.IndexOf("timeout=", StringComparison.OrdinalIgnoreCase);
        if (start < 0)
            return null;
        var digits = value.AsSpan(start + 8);
        var end = digits.IndexOfAnyExceptInRange('0', '9');
        return int.TryParse(end < 0 ? digits : digits[..end], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            ? TimeSpan.FromSeconds(Math.Max(0, seconds - 1))
            : null;
    }

    private UpstreamException TooLong() => Invalid($"a header section of more than {connection.Pool.MaxHeadBytes / 1024} KB");

    private static UpstreamException Invalid(string what) =>
        new(ProxyError.InvalidResponse, FailureClass.Answered, $"The destination's response has {RequestGuard.WithoutControls(what)}.");
}
