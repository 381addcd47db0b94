using System.Buffers;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>A response's <c>No-Vary-Search</c> (draft-ietf-httpbis-no-vary-search): which parts of the query do not matter.</summary>
internal sealed record NoVarySearch
{
    /// <summary>The name of the field.</summary>
    public const string Field = "No-Vary-Search";

    private const int MaxParameters = 128;
    private const int MaxText = 512;

    private static readonly SearchValues<byte> s_plain = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"u8);

    private bool IsOrdered { get; init; }

    // Names as they are normalised: those that do not matter, or, where none matters, those that do.
    private HashSet<string> Names { get; init; } = [];

    private bool NoneMatters { get; init; }

    /// <summary>The rule as one text for all fields that mean the same.</summary>
    public string Text { get; private init; } = "";

    /// <summary>Null when there is none, it is too long to be kept, it does not parse, or it says that everything matters.</summary>
    public static NoVarySearch? Parse(StringValues lines)
    {
        if (lines.Count == 0 || StructuredFields.Dictionary(lines) is not { Count: > 0 } members)
            return null;
        var (keyOrder, noneMatters) = (false, false);
        List<string> names = [];
        foreach (var (key, item) in members)
        {
            switch (key)
            {
                case "key-order" when item.Kind == StructuredKind.Boolean:
                    keyOrder = item.IsTrue;
                    break;
                case "params" when item.Kind == StructuredKind.Boolean:
                    noneMatters = item.IsTrue;
                    break;
                case "params" when item.Strings() is { } ignored:
                    names = ignored;
                    break;
                case "except" when item.Strings() is { } heeded && members.TryGetValue("params", out var all) && all.IsTrue:
                    names = heeded;
                    break;
                default:
                    return null;
            }
        }
        if (!keyOrder && !noneMatters && names.Count == 0)
            return null;
        HashSet<string> normalized = [.. names.Select(name => Normalize(name.AsSpan()))];
        var text = $"{(keyOrder ? "k" : "")}{(noneMatters ? "p" : "")}({string.Join(' ', normalized.Order(StringComparer.Ordinal))})";
        return text.Length > MaxText ? null : new() { IsOrdered = !keyOrder, NoneMatters = noneMatters, Names = normalized, Text = text };
    }

    /// <summary>One text for all queries that mean the same; beginning with <c>?</c> if not empty.</summary>
    public string Normalize(string query)
    {
        var rest = query.AsSpan();
        if (rest is ['?', .. var tail])
            rest = tail;
        var parameters = new List<(string Name, string Value)>();
        while (!rest.IsEmpty)
        {
            var end = rest.IndexOf('&');
            var parameter = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            if (parameter.IsEmpty)
                continue;
            // Nobody has that many; who tries gets what is stored for exactly this query.
            if (parameters.Count == MaxParameters)
                return query;
            var equals = parameter.IndexOf('=');
            var name = Normalize(equals < 0 ? parameter : parameter[..equals]);
            if (Names.Contains(name) == NoneMatters)
                parameters.Add((name, equals < 0 ? "" : Normalize(parameter[(equals + 1)..])));
        }
        // Those of one name stay in their order, which tells them apart.
        IEnumerable<(string Name, string Value)> sorted = IsOrdered ? parameters : parameters.OrderBy(p => p.Name, StringComparer.Ordinal);
        var text = new StringBuilder();
        foreach (var (name, value) in sorted)
            text.Append(text.Length == 0 ? '?' : '&').Append(name).Append('=').Append(value);
        return text.ToString();
    }

    /// <summary>A name or value, decoded as forms are, and encoded in the one way that there is then.</summary>
    private static string Normalize(ReadOnlySpan<char> text)
    {
        var bytes = Encoding.UTF8.GetBytes(text.ToString());
        var result = new StringBuilder(bytes.Length);
        for (var i = 0; i < bytes.Length; i++)
        {
            var b = bytes[i];
            if (b == '+')
            {
                b = (byte)' ';
            }
            else if (b == '%' && i + 2 < bytes.Length && char.IsAsciiHexDigit((char)bytes[i + 1]) && char.IsAsciiHexDigit((char)bytes[i + 2]))
            {
                b = Convert.ToByte(Encoding.ASCII.GetString(bytes, i + 1, 2), 16);
                i += 2;
            }
            if (s_plain.Contains(b))
                result.Append((char)b);
            else
                result.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }
        return result.ToString();
    }
}
