using Microsoft.Extensions.Primitives;
using ProxyKit.Configuration;

namespace ProxyKit.Caching;

/// <summary>Reads <c>Cache-Control</c> as strangers write it.</summary>
internal ref struct CacheControlParser
{
    private bool _noStore, _noCache, _private, _public, _mustRevalidate, _proxyRevalidate, _mustUnderstand, _noTransform, _onlyIfCached, _isBroken;
    private TimeSpan? _maxAge, _sharedMaxAge, _minFresh, _maxStale, _staleWhileRevalidate, _staleIfError;
    private List<string>? _fields;

    public static CacheDirectives Parse(StringValues lines)
    {
        var parser = new CacheControlParser();
        foreach (var line in lines)
        {
            ReadOnlySpan<char> rest = line;
            var hasNoQuotes = false;
            while (!rest.IsEmpty)
            {
                var member = FieldList.Next(ref rest, ref hasNoQuotes).Trim(" \t");
                if (!member.IsEmpty)
                    parser.Add(member);
            }
        }
        return parser.Build();
    }

    private readonly CacheDirectives Build() => new()
    {
        NoStore = _noStore,
        NoCache = _noCache,
        Private = _private,
        Public = _public,
        MustRevalidate = _mustRevalidate,
        ProxyRevalidate = _proxyRevalidate,
        MustUnderstand = _mustUnderstand,
        NoTransform = _noTransform,
        OnlyIfCached = _onlyIfCached,
        // Where a quote is not closed nobody knows what was meant to be in it.
        MaxAge = _isBroken ? TimeSpan.Zero : _maxAge,
        SharedMaxAge = _isBroken && _sharedMaxAge is not null ? TimeSpan.Zero : _sharedMaxAge,
        MinFresh = _minFresh,
        MaxStale = _isBroken ? null : _maxStale,
        StaleWhileRevalidate = _isBroken ? TimeSpan.Zero : _staleWhileRevalidate,
        StaleIfError = _isBroken ? TimeSpan.Zero : _staleIfError,
        Fields = _fields ?? CacheDirectives.None.Fields,
    };

    private void Add(ReadOnlySpan<char> member)
    {
        // The name ends where no token can go on, so that "no-store;x" and "max-age =1" are still about storing and age, if not well.
        var end = 0;
        while (end < member.Length && (char.IsAsciiLetter(member[end]) || member[end] == '-'))
            end++;
        var name = member[..end];
        var argument = member[end..];
        if (argument.Contains('"') && !IsClosed(argument))
            _isBroken = true;
        switch (end)
        {
            case 6 when Is(name, "public"):
                _public = true;
                break;
            case 7 when Is(name, "max-age"):
                Least(ref _maxAge, Seconds(argument));
                break;
            case 7 when Is(name, "private"):
                AddFields(argument, ref _private);
                break;
            case 8 when Is(name, "no-store"):
                _noStore = true;
                break;
            case 8 when Is(name, "no-cache"):
                AddFields(argument, ref _noCache);
                break;
            case 8 when Is(name, "s-maxage"):
                Least(ref _sharedMaxAge, Seconds(argument));
                break;
            case 9 when Is(name, "max-stale"):
                Least(ref _maxStale, argument.IsEmpty ? TimeSpan.MaxValue : Seconds(argument));
                break;
            case 9 when Is(name, "min-fresh"):
                if (_minFresh is not { } least || least < Seconds(argument))
                    _minFresh = Seconds(argument);
                break;
            case 12 when Is(name, "no-transform"):
                _noTransform = true;
                break;
            case 14 when Is(name, "only-if-cached"):
                _onlyIfCached = true;
                break;
            case 14 when Is(name, "stale-if-error"):
                Least(ref _staleIfError, Seconds(argument));
                break;
            case 15 when Is(name, "must-revalidate"):
                _mustRevalidate = true;
                break;
            case 15 when Is(name, "must-understand"):
                _mustUnderstand = argument.IsEmpty; // it allows what is forbidden otherwise
                break;
            case 16 when Is(name, "proxy-revalidate"):
                _proxyRevalidate = true;
                break;
            case 22 when Is(name, "stale-while-revalidate"):
                Least(ref _staleWhileRevalidate, Seconds(argument));
                break;
        }
    }

    private void AddFields(ReadOnlySpan<char> argument, ref bool all)
    {
        // RFC 9111 §5.2.2.4: a quoted list; a single name in no quotes is understood too.
        argument = argument is ['=', .. var value] ? value : default;
        if (argument.Length > 1 && argument[0] == '"' && FieldList.QuotedLength(argument) == argument.Length)
            argument = argument[1..^1];
        var isEmpty = true;
        while (!argument.IsEmpty)
        {
            var comma = argument.IndexOf(',');
            var field = (comma < 0 ? argument : argument[..comma]).Trim(" \t");
            argument = comma < 0 ? default : argument[(comma + 1)..];
            if (field.IsEmpty)
                continue;
            isEmpty = false;
            if (_fields?.Count >= CacheDirectives.MaxFields || !Tokens.IsToken(field))
            {
                all = true;
                return;
            }
            (_fields ??= []).Add(field.ToString());
        }
        all |= isEmpty;
    }

    /// <summary>A number of seconds, quoted or not; 0 if it is none (RFC 9111 §4.2.1).</summary>
    private static TimeSpan Seconds(ReadOnlySpan<char> argument)
    {
        if (argument is not ['=', .. var value])
            return default;
        if (value is ['"', .. var quoted, '"'])
            value = quoted;
        return DeltaSeconds.TryParse(value, out var seconds) ? seconds : default;
    }

    private static void Least(ref TimeSpan? target, TimeSpan value)
    {
        if (target is not { } other || value < other)
            target = value;
    }

    private static bool IsClosed(ReadOnlySpan<char> argument)
    {
        while (argument.IndexOf('"') is >= 0 and var quote)
        {
            argument = argument[quote..];
            var length = FieldList.QuotedLength(argument);
            if (length == 0)
                return false;
            argument = argument[length..];
        }
        return true;
    }

    private static bool Is(ReadOnlySpan<char> name, string directive) => name.Equals(directive, StringComparison.OrdinalIgnoreCase);
}
