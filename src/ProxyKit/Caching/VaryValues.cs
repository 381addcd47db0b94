using System.Text;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>Values of request fields in the form in which they are compared (RFC 9111 §4.1): those that mean the same by their field's definition are the same text.</summary>
internal static class VaryValues
{
    private const string AcceptEncodingName = "accept-encoding", AcceptLanguageName = "accept-language";

    // Before an Accept-Encoding that is compared as it stands. No coding begins so.
    private const char AsItStands = '=';

    /// <summary>The value of a field whose name is in lower case; null if it is absent. <paramref name="contentEncoding"/>: the response's.</summary>
    public static string? Normalize(string name, StringValues lines, StringValues contentEncoding)
    {
        if (name == AcceptEncodingName)
        {
            if (AcceptEncoding.Covers(lines, contentEncoding))
                return AcceptEncoding.Normalize(lines);
            return lines.Count == 0 ? null : AsItStands + Join(lines);
        }
        if (lines.Count == 0)
            return null;
        return name == AcceptLanguageName ? AcceptLanguage.Normalize(lines) : Join(lines);
    }

    /// <summary>Whether a request's lines have that value.</summary>
    public static bool Matches(string name, string? value, StringValues lines)
    {
        if (value is null)
            return lines.Count == 0;
        if (name == AcceptEncodingName)
        {
            return value[0] == AsItStands
                ? lines.Count > 0 && Join(lines).AsSpan().SequenceEqual(value.AsSpan(1))
                : AcceptEncoding.Normalize(lines) == value && AcceptEncoding.IsWellFormed(lines);
        }
        if (lines.Count == 0)
            return false;
        if (name == AcceptLanguageName)
            return AcceptLanguage.Normalize(lines) == value;
        return (lines.Count == 1 && lines[0] == value && IsPlain(value)) || Join(lines) == value;
    }

    /// <summary>All lines as one list, with no space around the commas.</summary>
    public static string Join(StringValues lines)
    {
        if (lines.Count == 0)
            return "";
        if (lines.Count == 1 && lines[0] is { } line && IsPlain(line))
            return line;
        var text = new StringBuilder();
        foreach (var member in new FieldList(lines))
        {
            if (text.Length > 0)
                text.Append(',');
            text.Append(member);
        }
        return text.ToString();
    }

    /// <summary>Whether there is nothing to do.</summary>
    private static bool IsPlain(string text) => text.Length > 0 && !text.AsSpan().ContainsAny(',', ' ', '\t');
}
