using Microsoft.AspNetCore.Http;

namespace ProxyKit.Caching;

/// <summary>How old a response is when it comes (RFC 9111 §4.2.3).</summary>
internal static class ResponseAge
{
    /// <summary><c>corrected_initial_age</c>.</summary>
    public static TimeSpan Initial(IHeaderDictionary headers, DateTimeOffset requestTime, DateTimeOffset responseTime)
    {
        var delay = responseTime - requestTime;
        var corrected = AgeHeader.Parse(headers.Age) + (delay > TimeSpan.Zero ? delay : TimeSpan.Zero);
        // Dates know no parts of a second: what was made in this second is not old.
        var second = new DateTimeOffset(responseTime.Ticks - (responseTime.Ticks % TimeSpan.TicksPerSecond), responseTime.Offset);
        var apparent = second - Date(headers, responseTime);
        return apparent > corrected ? apparent : corrected;
    }

    /// <summary>When it was made; when it came, if it does not say so.</summary>
    public static DateTimeOffset Date(IHeaderDictionary headers, DateTimeOffset responseTime) =>
        HttpDates.TryParse(headers.Date, responseTime, out var date) ? date : responseTime;
}
