using System.Buffers;

namespace ProxyKit.Configuration;

/// <summary>RFC 9110 §5.6.2: what header names, methods and pseudonyms are made of.</summary>
internal static class Tokens
{
    private static readonly SearchValues<char> s_tokenChars =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    public static bool IsToken(string? text) => IsToken(text.AsSpan());

    public static bool IsToken(ReadOnlySpan<char> text) => !text.IsEmpty && !text.ContainsAnyExcept(s_tokenChars);
}

/// <summary>Guesses what a misspelt name was meant to be.</summary>
internal static class Nearest
{
    /// <summary>" Did you mean 'x'?", or the names there are.</summary>
    public static string Hint(string name, IEnumerable<string> known)
    {
        var names = known.Order(StringComparer.OrdinalIgnoreCase).ToArray();
        if (names.Length == 0)
            return ".";
        var best = names.MinBy(other => Distance(name.ToUpperInvariant(), other.ToUpperInvariant()))!;
        return Distance(name.ToUpperInvariant(), best.ToUpperInvariant()) <= Math.Max(2, name.Length / 3)
            ? $". Did you mean '{best}'?"
            : $". Known are {string.Join(", ", names)}.";
    }

    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j] + 1, row[j - 1] + 1), diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }
}
