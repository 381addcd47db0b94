using System.Buffers;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Primitives;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>
/// A request's parameters (RFC 3875 §4.1): those that were given for it, then what its method, URI and header fields say that was not given otherwise.
/// </summary>
internal readonly ref struct CgiVariables
{
    private static readonly SearchValues<char> s_nameChars = SearchValues.Create("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    private readonly FastCgiRequestWriter _writer;
    private readonly IReadOnlyList<KeyValuePair<string, string>> _given;
    private readonly ulong _seen; // a bit for given names that look alike

    private CgiVariables(FastCgiRequestWriter writer, IReadOnlyList<KeyValuePair<string, string>> given)
    {
        (_writer, _given) = (writer, given);
        for (var i = 0; i < given.Count; i++)
        {
            if (given[i].Key is { Length: > 0 } name)
                _seen |= Bit(name.Length, name[0], name[^1]);
        }
    }

    /// <param name="writer">Where they go.</param>
    /// <param name="request">Whose they are.</param>
    /// <param name="length">The body's length; null if there is no body.</param>
    public static void Write(FastCgiRequestWriter writer, HttpRequestMessage request, long? length)
    {
        request.Options.TryGetValue(FastCgiHandler.Parameters, out var given);
        var variables = new CgiVariables(writer, given ?? []);
        variables.WriteGiven();
        variables.WriteRequest(request);
        variables.WriteFields(request.Headers);
        if (request.Content is { } content)
            variables.WriteFields(content.Headers);
        variables.Add("CONTENT_TYPE", request.Content?.Headers.NonValidated.TryGetValues("Content-Type", out var type) == true ? type.ToString() : "", Encoding.Latin1);
        // Never another one than what is sent: php-fpm waits for what is missing. Nothing is an empty value, as nginx sends it.
        variables.WritePair("CONTENT_LENGTH", length?.ToString(CultureInfo.InvariantCulture) ?? "", Encoding.UTF8);
    }

    /// <summary>The same of a request that is forwarded: all but host, header fields and body is given, and given once.</summary>
    public static void Write(FastCgiRequestWriter writer, PreparedRequest request, string host, long? length)
    {
        var variables = new CgiVariables(writer, request.Cgi);
        foreach (var (name, value) in request.Cgi)
        {
            if (name.Length > 0 && name != "CONTENT_LENGTH" && (value.Length > 0 || MayBeEmpty(name)))
                variables.WritePair(name, value, Encoding.UTF8);
        }
        variables.Add("HTTP_HOST", host, Encoding.Latin1);
        StringValues type = default;
        foreach (ref readonly var field in request.Headers.Fields)
        {
            if (field.Name.Length == 12 && field.Name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase))
                type = field.Value;
            else if (field.Value.Count > 0 && variables.IsForScript(field.Name, field.Rule))
                variables.WriteField(field.Name, field.Value.Count == 1 ? field.Value.ToString() : string.Join(Separator(field.Name), field.Value.ToArray()));
        }
        variables.Add("CONTENT_TYPE", type.ToString(), Encoding.Latin1);
        variables.WritePair("CONTENT_LENGTH", length?.ToString(CultureInfo.InvariantCulture) ?? "", Encoding.UTF8);
    }

    private void WriteGiven()
    {
        for (var i = 0; i < _given.Count; i++)
        {
            var (name, value) = _given[i];
            if (name.Length == 0 || name == "CONTENT_LENGTH" || (value.Length == 0 && !MayBeEmpty(name)) || IsGivenAfter(name, i + 1))
                continue;
            WritePair(name, value, Encoding.UTF8);
        }
    }

    private void WriteRequest(HttpRequestMessage request)
    {
        var uri = request.RequestUri!;
        var host = request.Headers.Host ?? (uri.IsDefaultPort ? uri.Host : uri.Authority);
        Add("GATEWAY_INTERFACE", "CGI/1.1");
        Add("REQUEST_METHOD", request.Method.Method);
        if (!IsGiven("REQUEST_URI"))
            Add("REQUEST_URI", uri.PathAndQuery);
        if (!IsGiven("QUERY_STRING"))
            Add("QUERY_STRING", uri.Query.TrimStart('?'));
        if (!IsGiven("SCRIPT_NAME"))
            Add("SCRIPT_NAME", Uri.UnescapeDataString(uri.AbsolutePath));
        if (!IsGiven("SERVER_PROTOCOL"))
            Add("SERVER_PROTOCOL", request.Version.Major >= 2 ? $"HTTP/{request.Version.Major}.0" : request.Version.Minor == 0 ? "HTTP/1.0" : "HTTP/1.1");
        Add("SERVER_SOFTWARE", "ProxyKit");
        if (!IsGiven("SERVER_NAME"))
            Add("SERVER_NAME", WithoutPort(host));
        if (!IsGiven("SERVER_PORT"))
            Add("SERVER_PORT", uri.Port.ToString(CultureInfo.InvariantCulture));
        Add("REQUEST_SCHEME", uri.Scheme);
        if (uri.Scheme == Uri.UriSchemeHttps)
            Add("HTTPS", "on");
        Add("REMOTE_ADDR", "127.0.0.1"); // RFC 3875 §4.1.8: there must be one; nobody but this process is asking
        Add("REDIRECT_STATUS", "200"); // php-cgi serves nothing without
        Add("HTTP_HOST", host, Encoding.Latin1);
    }

    private void WriteFields(System.Net.Http.Headers.HttpHeaders headers)
    {
        foreach (var (name, values) in headers.NonValidated)
        {
            if (IsForScript(name, HeaderRule.Unknown))
                WriteField(name, values.Count == 1 ? values.ToString() : string.Join(Separator(name), values));
        }
    }

    // An underscore and a dash are the same in a variable: X_Real_IP must not be a way to X-Real-IP. "Proxy" would be HTTP_PROXY (httpoxy).
    private bool IsForScript(string name, HeaderRule rule) =>
        !name.AsSpan().ContainsAnyExcept(s_nameChars) && !IsOtherwise(name)
        && (rule == HeaderRule.Unknown ? HeaderRules.ForRequest(name) : rule) != HeaderRule.Drop && !IsGivenField(name);

    // Fields that have a variable of their own, and what has been answered already (RFC 9110 §10.1.1).
    private static bool IsOtherwise(string name) => name.Length switch
    {
        4 => name.Equals("Host", StringComparison.OrdinalIgnoreCase),
        6 => name.Equals("Expect", StringComparison.OrdinalIgnoreCase),
        12 => name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase),
        14 => name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase),
        _ => false,
    };

    // RFC 6265 §5.4; HttpClient joins neither.
    private static string Separator(string name) => name.Equals("Cookie", StringComparison.OrdinalIgnoreCase) ? "; " : ", ";

    private void WriteField(string name, string value)
    {
        var pair = _writer.Pair(name.Length + 5, value.Length);
        "HTTP_"u8.CopyTo(pair);
        for (var i = 0; i < name.Length; i++)
            pair[i + 5] = (byte)Variable(name[i]);
        Encoding.Latin1.GetBytes(value, pair[(name.Length + 5)..]);
    }

    private void Add(string name, string value) => Add(name, value, Encoding.UTF8);

    private void Add(string name, string value, Encoding encoding)
    {
        if (!IsGiven(name))
            WritePair(name, value, encoding);
    }

    private void WritePair(string name, string value, Encoding encoding)
    {
        if (Ascii.IsValid(name) && Ascii.IsValid(value))
        {
            var ascii = _writer.Pair(name.Length, value.Length);
            Ascii.FromUtf16(name, ascii, out _);
            Ascii.FromUtf16(value, ascii[name.Length..], out _);
            return;
        }
        var nameLength = Encoding.UTF8.GetByteCount(name);
        var pair = _writer.Pair(nameLength, encoding.GetByteCount(value));
        Encoding.UTF8.GetBytes(name, pair);
        encoding.GetBytes(value, pair[nameLength..]);
    }

    // RFC 3875 §4.1.7, §4.1.13: these must be there, empty or not.
    private static bool MayBeEmpty(string name) => name is "QUERY_STRING" or "SCRIPT_NAME";

    private bool IsGiven(string name) => (_seen & Bit(name.Length, name[0], name[^1])) != 0 && IsGivenAfter(name, 0);

    private bool IsGivenAfter(string name, int start)
    {
        for (var i = start; i < _given.Count; i++)
        {
            if (_given[i].Key == name)
                return true;
        }
        return false;
    }

    private bool IsGivenField(string name)
    {
        if ((_seen & Bit(name.Length + 5, 'H', Variable(name[^1]))) == 0)
            return false;
        for (var i = 0; i < _given.Count; i++)
        {
            if (_given[i].Key is { } other && other.Length == name.Length + 5 && other.StartsWith("HTTP_", StringComparison.Ordinal) && IsVariableOf(name, other.AsSpan(5)))
                return true;
        }
        return false;
    }

    private static bool IsVariableOf(string name, ReadOnlySpan<char> variable)
    {
        for (var i = 0; i < name.Length; i++)
        {
            if (Variable(name[i]) != variable[i])
                return false;
        }
        return true;
    }

    // Of letters, digits and dashes.
    private static char Variable(char c) => c == '-' ? '_' : char.IsAsciiLetterLower(c) ? (char)(c - 32) : c;

    private static ulong Bit(int length, char first, char last) => 1UL << (((length * 5) + first + last) & 63);

    private static string WithoutPort(string host)
    {
        var colon = host.LastIndexOf(':');
        return colon > host.LastIndexOf(']') ? host[..colon] : host;
    }
}
