using System.Globalization;
using Microsoft.AspNetCore.Http;
using ProxyKit.LoadBalancing;

namespace ProxyKit.TrafficSplitting;

/// <summary>
/// A visitor's number, from which the cluster follows. It is all that a cookie holds: it names nothing, is never stale, and who makes one up gets what the dice might
/// have given as well. There are few enough numbers that one does not tell who somebody is.
/// </summary>
internal sealed class VisitorNumber(SplitStickyConfig? sticky)
{
    /// <summary>How many numbers there are: a hundred for each percent.</summary>
    public const int Count = 10_000;

    private const string DefaultCookie = ".split";

    private readonly HashConfig? _hash = sticky?.By switch
    {
        SplitStickyBy.ClientIp => new() { Source = HashSource.ClientIp },
        SplitStickyBy.Header => new() { Source = HashSource.Header, Name = sticky.Name },
        SplitStickyBy.ExistingCookie => new() { Source = HashSource.Cookie, Name = sticky.Name },
        _ => null,
    };

    public int Of(HttpContext context)
    {
        if (sticky is null)
            return Draw();
        if (_hash is null)
            return OfOwnCookie(context, sticky);
        return HashKey.TryGet(context, _hash, out var key) ? (int)(key % Count) : Draw(); // without a key not all into one cluster
    }

    private static int Draw() => Random.Shared.Next(Count);

    private static int OfOwnCookie(HttpContext context, SplitStickyConfig sticky)
    {
        var name = sticky.Name ?? DefaultCookie;
        if (context.Request.Cookies[name] is { Length: 4 } text && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return number;
        number = Draw();
        SetCookie(context, sticky, name, number);
        return number;
    }

    // When the response starts: an error page replaces all that is there before.
    private static void SetCookie(HttpContext context, SplitStickyConfig sticky, string name, int number) => context.Response.OnStarting(() =>
    {
        context.Response.Cookies.Append(name, number.ToString("D4", CultureInfo.InvariantCulture), new()
        {
            Path = "/",
            Domain = sticky.Domain,
            HttpOnly = true,
            SameSite = SameSiteMode.Lax,
            Secure = context.Request.IsHttps,
            IsEssential = true,
            MaxAge = sticky.MaxAge,
        });
        return Task.CompletedTask;
    });
}
