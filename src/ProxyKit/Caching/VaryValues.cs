using System.Text;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>Values of request fields in the form in which they are compared (RFC 9111 §4.1): those that mean the same by their field's definition are the same text.</summary>
internal static class VaryValues
{
    private const string AcceptEncodingName = "accept-encoding", AcceptLanguageName = "accept-language";

    /// <summary>
    /// The value of a field whose name is in lower case; null if it is absent. <paramref name="contentEncoding"/>: the response's. One without coding is for those who say nothing of codings and for
    /// those who want none alike; one with a coding, where nobody asked for it, is not.
    /// </summary>
    public static string? Normalize(string name, StringValues lines, StringValues contentEncoding, bool ignoresLanguageOrder)
    {
        if (name == AcceptEncodingName)
            return lines.Count == 0 && AcceptEncoding.IsEncoded(contentEncoding) ? null : AcceptEncoding.Normalize(lines);
        if (lines.Count == 0)
            return null;
        return name == AcceptLanguageName ? AcceptLanguage.Normalize(lines, ignoresLanguageOrder) : Join(lines);
    }

    /// <summary>Whether a request's lines have that value.</summary>
    public static bool Matches(string name, string? value, StringValues lines)
    {
        if (value is null)
            return lines.Count == 0;
        if (name == AcceptEncodingName)
            return AcceptEncoding.Normalize(lines) == value;
        if (lines.Count == 0)
            return false;
        if (name == AcceptLanguageName)
            return AcceptLanguage.Normalize(lines, AcceptLanguage.IgnoresOrder(value)) == value;
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
