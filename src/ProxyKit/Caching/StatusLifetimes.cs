using System.Globalization;

namespace ProxyKit.Caching;

/// <summary><see cref="CacheConfig.StatusTimeToLive"/>, read once.</summary>
internal sealed class StatusLifetimes
{
    private readonly Dictionary<int, TimeSpan> _codes = [];
    private readonly TimeSpan?[] _classes = new TimeSpan?[10];

    public StatusLifetimes(ValueMap map)
    {
        foreach (var (key, value) in map)
        {
            if (!TryParseKey(key, out var status, out var isClass) || !StatusTimes.TryParse(value, out var time))
                continue;
            if (isClass)
                _classes[status] = time;
            else
                _codes[status] = time;
        }
    }

    public TimeSpan? Of(int status) =>
        _codes.TryGetValue(status, out var time) ? time : status / 100 < _classes.Length ? _classes[status / 100] : null;

    /// <summary>Whether the key is a code (<c>404</c>) or a class of them (<c>4xx</c>), from 200 on.</summary>
    public static bool TryParseKey(string key, out int status, out bool isClass)
    {
        isClass = key is [>= '2' and <= '9', 'x' or 'X', 'x' or 'X'];
        status = isClass ? key[0] - '0' : 0;
        return isClass || (int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out status) && status is >= 200 and <= 999);
    }
}
