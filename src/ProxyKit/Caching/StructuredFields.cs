using System.Text;
using Microsoft.Extensions.Primitives;
using ProxyKit.Configuration;

namespace ProxyKit.Caching;

/// <summary>What a member of a structured field is (RFC 8941).</summary>
internal enum StructuredKind
{
    Boolean,
    Integer,
    String,
    Token,
    InnerList,

    /// <summary>A decimal, or bytes: nothing that caching asks for.</summary>
    Other,
}

/// <summary>A member of a structured field, without its parameters.</summary>
internal readonly record struct StructuredItem(StructuredKind Kind, long Number = 0, string? Text = null, IReadOnlyList<StructuredItem>? Items = null)
{
    public bool IsTrue => Kind == StructuredKind.Boolean && Number == 1;

    /// <summary>The strings of an inner list; null if it has anything else, or is none.</summary>
    public List<string>? Strings()
    {
        if (Kind != StructuredKind.InnerList)
            return null;
        var strings = new List<string>(Items!.Count);
        foreach (var item in Items)
        {
            if (item.Kind != StructuredKind.String)
                return null;
            strings.Add(item.Text!);
        }
        return strings;
    }
}

/// <summary>Structured fields (RFC 8941 §4.2): what does not parse to its end is nothing at all. Longer or richer than a cache's field ever is, it does not parse either.</summary>
internal ref struct StructuredFields
{
    private const int MaxLength = 8192, MaxMembers = 256;

    private readonly ReadOnlySpan<char> _text;
    private int _position;
    private int _members;

    private StructuredFields(string text) => _text = text;

    private readonly bool IsEnd => _position == _text.Length;

    private readonly char Current => _position < _text.Length ? _text[_position] : '\0';

    /// <summary>A dictionary; null if there is none, or it does not parse. A key that stands there twice has its last value.</summary>
    public static Dictionary<string, StructuredItem>? Dictionary(StringValues lines)
    {
        if (Text(lines) is not { } text)
            return null;
        var parser = new StructuredFields(text);
        var result = new Dictionary<string, StructuredItem>(StringComparer.Ordinal);
        parser.SkipSpaces();
        while (!parser.IsEnd)
        {
            if (!parser.TryKey(out var key))
                return null;
            var item = new StructuredItem(StructuredKind.Boolean, 1);
            if (parser.Current == '=')
            {
                parser._position++;
                if (!parser.TryMember(out item))
                    return null;
            }
            else if (!parser.SkipParameters())
            {
                return null;
            }
            result[key] = item;
            if (!parser.TryNext())
                return null;
        }
        return result;
    }

    /// <summary>A list; null if there is none, or it does not parse.</summary>
    public static List<StructuredItem>? List(StringValues lines)
    {
        if (Text(lines) is not { } text)
            return null;
        var parser = new StructuredFields(text);
        var result = new List<StructuredItem>();
        parser.SkipSpaces();
        while (!parser.IsEnd)
        {
            if (!parser.TryMember(out var item))
                return null;
            result.Add(item);
            if (!parser.TryNext())
                return null;
        }
        return result;
    }

    private static string? Text(StringValues lines)
    {
        var text = lines.Count == 1 ? lines[0] : string.Join(", ", lines.ToArray());
        return lines.Count == 0 || text is null || text.Length > MaxLength ? null : text;
    }

    /// <summary>After a member: the end, or a comma that another one follows.</summary>
    private bool TryNext()
    {
        SkipWhitespace();
        if (IsEnd)
        {
            return true;
        }
        if (Current != ',' || ++_members >= MaxMembers)
            return false;
        _position++;
        SkipWhitespace();
        return !IsEnd;
    }

    private bool TryMember(out StructuredItem item)
    {
        if (Current != '(')
            return TryItem(out item);
        item = default;
        _position++;
        var items = new List<StructuredItem>();
        while (true)
        {
            SkipSpaces();
            if (Current == ')')
            {
                _position++;
                item = new(StructuredKind.InnerList, Items: items);
                return SkipParameters();
            }
            if (!TryItem(out var inner) || Current is not (' ' or ')') || ++_members >= MaxMembers)
                return false;
            items.Add(inner);
        }
    }

    private bool TryItem(out StructuredItem item) => TryBareItem(out item) && SkipParameters();

    private bool TryBareItem(out StructuredItem item)
    {
        item = default;
        switch (Current)
        {
            case '"':
                return TryString(out item);
            case '?':
                if (_position + 1 >= _text.Length || _text[_position + 1] is not ('0' or '1'))
                    return false;
                item = new(StructuredKind.Boolean, _text[_position + 1] - '0');
                _position += 2;
                return true;
            case ':':
                var length = _text[(_position + 1)..].IndexOf(':');
                if (length < 0 || !IsBase64(_text.Slice(_position + 1, length)))
                    return false;
                _position += length + 2;
                item = new(StructuredKind.Other);
                return true;
            case '-' or (>= '0' and <= '9'):
                return TryNumber(out item);
            default:
                return TryToken(out item);
        }
    }

    private bool TryNumber(out StructuredItem item)
    {
        item = default;
        var isNegative = Current == '-';
        if (isNegative)
            _position++;
        var number = 0L;
        var start = _position;
        while (char.IsAsciiDigit(Current) && _position - start < 15)
            number = (number * 10) + (_text[_position++] - '0');
        var digits = _position - start;
        if (digits == 0 || char.IsAsciiDigit(Current))
            return false;
        if (Current != '.')
        {
            item = new(StructuredKind.Integer, isNegative ? -number : number);
            return true;
        }
        _position++;
        start = _position;
        while (char.IsAsciiDigit(Current))
            _position++;
        item = new(StructuredKind.Other);
        return digits <= 12 && _position - start is >= 1 and <= 3;
    }

    private bool TryString(out StructuredItem item)
    {
        item = default;
        var text = new StringBuilder();
        for (_position++; !IsEnd; _position++)
        {
            var c = Current;
            if (c == '"')
            {
                _position++;
                item = new(StructuredKind.String, Text: text.ToString());
                return true;
            }
            if (c == '\\')
            {
                _position++;
                if (Current is not ('"' or '\\'))
                    return false;
                c = Current;
            }
            else if (c is < ' ' or > '~')
            {
                return false;
            }
            text.Append(c);
        }
        return false;
    }

    private bool TryToken(out StructuredItem item)
    {
        item = default;
        if (!char.IsAsciiLetter(Current) && Current != '*')
            return false;
        var start = _position;
        while (Current is ':' or '/' || Tokens.IsToken([Current]))
            _position++;
        item = new(StructuredKind.Token, Text: _text[start.._position].ToString());
        return true;
    }

    private bool TryKey(out string key)
    {
        key = "";
        if (!char.IsAsciiLetterLower(Current) && Current != '*')
            return false;
        var start = _position;
        while (char.IsAsciiLetterLower(Current) || char.IsAsciiDigit(Current) || Current is '_' or '-' or '.' or '*')
            _position++;
        key = _text[start.._position].ToString();
        return true;
    }

    private bool SkipParameters()
    {
        while (Current == ';')
        {
            _position++;
            SkipSpaces();
            if (!TryKey(out _) || ++_members >= MaxMembers)
                return false;
            if (Current == '=')
            {
                _position++;
                if (!TryBareItem(out _))
                    return false;
            }
        }
        return true;
    }

    private void SkipSpaces()
    {
        while (Current == ' ')
            _position++;
    }

    private void SkipWhitespace()
    {
        while (Current is ' ' or '\t')
            _position++;
    }

    private static bool IsBase64(ReadOnlySpan<char> text)
    {
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('+' or '/' or '='))
                return false;
        }
        return true;
    }
}
