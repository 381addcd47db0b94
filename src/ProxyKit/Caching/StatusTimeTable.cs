using System.Globalization;

namespace ProxyKit.Caching;

/// <summary><see cref="CacheConfig.StatusTimeToLive"/>, read once.</summary>
internal sealed class StatusTimeTable
{
    private readonly Dictionary<int, TimeSpan> _codes = [];
    private readonly TimeSpan?[] _classes = new TimeSpan?[10];

    public StatusTimeTable(ValueMap map)
    {
        foreach (var (key, value) in map)
        {
            if (!StatusTimes.IsValidKey(key) || !StatusTimes.TryParse(value, out var time))
                continue;
            if (int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var status))
                _codes[status] = time;
            else
                _classes[key[0] - '0'] = time;
        }
    }

    public TimeSpan? Of(int status) =>
        _codes.TryGetValue(status, out var time) ? time : status / 100 < _classes.Length ? _classes[status / 100] : null;
}
