using System.Globalization;
using ProxyKit;

namespace ProxyKit.DiskCrash;

/// <summary>What the program stores: all of it follows from the key and a number in the head, so that another process can tell whether it is whole.</summary>
internal static class CrashContent
{
    public const int Keys = 150;
    public const long Limit = 12_000_000;

    public static string Key(int number) => string.Create(CultureInfo.InvariantCulture, $"https://example.com/{number % 10}/{number}");

    public static CachedResponseHead Head(string key, int seed) => new()
    {
        StatusCode = 200,
        Headers = [new("X-Seed", seed.ToString(CultureInfo.InvariantCulture)), new("X-Key", key), new("X-Filler", new string('f', seed % 5000))],
        Vary = seed % 3 == 0 ? [] : [new("accept-language", (seed % 3).ToString(CultureInfo.InvariantCulture))],
        RequestTime = DateTimeOffset.UnixEpoch,
        ResponseTime = DateTimeOffset.UnixEpoch,
        Freshness = new() { Lifetime = TimeSpan.FromSeconds(seed) },
        Tags = [(seed % 20).ToString(CultureInfo.InvariantCulture)],
    };

    public static byte[] Body(string key, int seed)
    {
        var random = new Random(seed);
        var body = new byte[random.Next(random.Next(2) == 0 ? 10_000 : 250_000)];
        random.NextBytes(body);
        var name = System.Text.Encoding.ASCII.GetBytes(key);
        for (var i = 0; i + name.Length <= body.Length; i += 5000)
            name.CopyTo(body, i);
        return body;
    }

    public static int SeedOf(CachedResponseHead head) => int.Parse(head.Headers[0].Value.ToString(), CultureInfo.InvariantCulture);
}
