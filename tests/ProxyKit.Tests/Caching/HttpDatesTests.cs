using ProxyKit.Caching;
using static ProxyKit.Tests.Caching.Exchange;

namespace ProxyKit.Tests.Caching;

/// <summary>Dates in fields (RFC 9110 §5.6.7).</summary>
public class HttpDatesTests
{
    [Theory]
    [InlineData("Sun, 06 Nov 1994 08:49:37 GMT")]
    [InlineData("Sunday, 06-Nov-94 08:49:37 GMT")]
    [InlineData("Sun Nov  6 08:49:37 1994")]
    [InlineData("SUN, 06 Nov 1994 08:49:37 GMT")]
    [InlineData("Sun, 06 NOV 1994 08:49:37 GMT")]
    [InlineData("Sun, 06 Nov 1994 08:49:37 gMT")]
    [InlineData(" Sun, 06 Nov 1994 08:49:37 GMT\t")]
    public void All_three_forms_are_read(string text)
    {
        Assert.True(HttpDates.TryParse(text, Now, out var date));
        Assert.Equal(new(1994, 11, 6, 8, 49, 37, TimeSpan.Zero), date);
    }

    [Theory]
    [InlineData("Thursday, 18-Aug-50 02:01:18 GMT", 2050)]
    [InlineData("Thursday, 18-Aug-76 02:01:18 GMT", 2076)]
    [InlineData("Thursday, 18-Aug-77 02:01:18 GMT", 1977)]
    [InlineData("Wednesday, 18-Aug-00 02:01:18 GMT", 2000)]
    public void A_year_of_two_digits_is_at_most_fifty_years_ahead(string text, int year)
    {
        Assert.True(HttpDates.TryParse(text, Now, out var date));
        Assert.Equal(year, date.Year);
    }

    [Fact]
    public void A_leap_second_is_one() => Assert.True(HttpDates.TryParse("Sat, 31 Dec 2016 23:59:60 GMT", Now, out _));

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("foo")]
    [InlineData("Thu, 18 Aug 2050 02:01:18 UTC")]
    [InlineData("Thu, 18 Aug 2050 02:01:18 AEST")]
    [InlineData("Thu, 18 Aug 2050 02:01:18")]
    [InlineData("Thu, 18 Aug 2050 02:01:18 +0000")]
    [InlineData("Thu, 18 Aug 50 02:01:18 GMT")]
    [InlineData("Thu 18 Aug 2050 02:01:18 GMT")]
    [InlineData("Thu, 18  Aug  2050 02:01:18 GMT")]
    [InlineData("Thu, 18-Aug-2050 02:01:18 GMT")]
    [InlineData("Thu, 18 Aug 2050 02.01.18 GMT")]
    [InlineData("Thu, 18 Aug 2050 2:01:18 GMT")]
    [InlineData("Thu, 18 Aug 2050 24:01:18 GMT")]
    [InlineData("Thu, 18 Aug 2050 02:60:18 GMT")]
    [InlineData("Thu, 18 Aug 2050 02:01:61 GMT")]
    [InlineData("Thu, 31 Feb 2050 02:01:18 GMT")]
    [InlineData("Thu, 00 Aug 2050 02:01:18 GMT")]
    [InlineData("Thu, 18 Aug 0000 02:01:18 GMT")]
    [InlineData("Thx, 18 Aug 2050 02:01:18 GMT")]
    [InlineData("Thu, 18 Agu 2050 02:01:18 GMT")]
    [InlineData("Thu, 18-Aug-50 02:01:18 GMT")]
    [InlineData("Xhursday, 18-Aug-50 02:01:18 GMT")]
    [InlineData("Thursday, 18-Aug-50 02:01:18 UTC")]
    [InlineData("Thursday, 18-Aug--1 02:01:18 GMT")]
    [InlineData("Thu Aug  8 02:01:18 2050 GMT")]
    [InlineData("Thu Aug 8 02:01:18 2050")]
    [InlineData("2050-08-18T02:01:18Z")]
    public void What_is_nearly_a_date_is_none(string text) => Assert.False(HttpDates.TryParse(text, Now, out _));

    [Fact]
    public void Two_lines_are_a_date_only_if_they_are_the_same()
    {
        Assert.True(HttpDates.TryParse(Lines(Date(1), Date(1)), Now, out _));
        Assert.False(HttpDates.TryParse(Lines(Date(1), Date(2)), Now, out _));
    }

    [Fact]
    public void What_is_written_is_read_again()
    {
        Assert.Equal("Mon, 01 Jun 2026 12:00:00 GMT", HttpDates.Format(Now));
        Assert.True(HttpDates.TryParse(HttpDates.Format(Now), Now, out var date));
        Assert.Equal(Now, date);
    }
}
