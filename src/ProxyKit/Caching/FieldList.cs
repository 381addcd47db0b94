using Microsoft.Extensions.Primitives;

namespace ProxyKit.Caching;

/// <summary>The members of a field that is a list (RFC 9110 §5.6.1), of all its lines, trimmed; empty ones are left out. Commas in quotes separate nothing.</summary>
internal ref struct FieldList(StringValues lines)
{
    private ReadOnlySpan<char> _rest;
    private int _line;
    private bool _hasNoQuotes;

    public ReadOnlySpan<char> Current { get; private set; }

    public readonly FieldList GetEnumerator() => this;

    public bool MoveNext()
    {
        while (true)
        {
            while (_rest.IsEmpty)
            {
                if (_line == lines.Count)
                    return false;
                _rest = lines[_line++];
                _hasNoQuotes = false;
            }
            Current = Next(ref _rest, ref _hasNoQuotes).Trim(" \t");
            if (!Current.IsEmpty)
                return true;
        }
    }

    /// <summary>
    /// Takes off the first member of a line with its comma. A quote that is not closed quotes nothing, and neither does any after it in that line, as <paramref name="hasNoQuotes"/> remembers: nobody
    /// can make us look for the end again and again.
    /// </summary>
    public static ReadOnlySpan<char> Next(scoped ref ReadOnlySpan<char> rest, scoped ref bool hasNoQuotes)
    {
        var i = 0;
        while (i < rest.Length && rest[i] != ',')
        {
            if (rest[i] == '"' && !hasNoQuotes)
            {
                var length = QuotedLength(rest[i..]);
                hasNoQuotes = length == 0;
                i += Math.Max(length, 1);
            }
            else
            {
                i++;
            }
        }
        var member = rest[..i];
        rest = i < rest.Length ? rest[(i + 1)..] : default;
        return member;
    }

    /// <summary>The length of the quoted string at the beginning, with its quotes; 0 if it is not closed.</summary>
    public static int QuotedLength(ReadOnlySpan<char> text)
    {
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                return i + 1;
        }
        return 0;
    }

    /// <summary>Whether one of the members is <paramref name="member"/>, without regard to case.</summary>
    public static bool Contains(StringValues lines, string member)
    {
        foreach (var m in new FieldList(lines))
        {
            if (m.Equals(member, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }
}
