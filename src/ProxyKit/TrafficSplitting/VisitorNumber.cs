using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;

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

    public int Of(HttpContext context) => sticky?.By switch
    {
        null => Draw(),
        SplitStickyBy.Cookie => OfOwnCookie(context, sticky),
        SplitStickyBy.ClientAddress => OfAddress(context.Connection.RemoteIpAddress),
        SplitStickyBy.Header => OfText(context.Request.Headers[sticky.Name!].ToString()),
        _ => OfText(context.Request.Cookies[sticky.Name!]),
    };

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

    // FNV-1a and a finalizer: the same in every process, on every machine, in every version.
    private static int OfText(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return Draw(); // not all into one cluster
        var hash = 14695981039346656037UL;
        foreach (var c in text)
            hash = (hash ^ c) * 1099511628211UL;
        return Reduce(hash);
    }

    private static int OfAddress(IPAddress? address)
    {
        if (address is null)
            return Draw();
        Span<byte> bytes = stackalloc byte[16];
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        address.TryWriteBytes(bytes, out _);
        // A household has one prefix, and its devices change the rest of their addresses every day.
        return Reduce(address.AddressFamily == AddressFamily.InterNetworkV6 ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes));
    }

    private static int Reduce(ulong hash)
    {
        hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdUL;
        hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53UL;
        hash ^= hash >> 33;
        return (int)((hash >> 32) * Count >> 32);
    }
}
