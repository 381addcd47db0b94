using ProxyKit.Configuration;

namespace ProxyKit.Tests.Configuration;

public class StatusRangesTests
{
    [Fact]
    public void Single_statuses_and_ranges_are_what_they_say()
    {
        var ranges = StatusRanges.Parse(" 200-299, 301 ,100,599-599,250-260");

        Assert.Equal([100, .. Enumerable.Range(200, 100), 301, 599], Enumerable.Range(-1, 1002).Where(ranges.Contains));
    }

    [Theory]
    [InlineData("")]
    [InlineData("200,")]
    [InlineData("99")]
    [InlineData("600")]
    [InlineData("5xx")]
    [InlineData("-200")]
    [InlineData("200-")]
    [InlineData("299-200")]
    [InlineData("200-250-299")]
    [InlineData("+200")]
    [InlineData("200;201")]
    public void What_is_not_one_is_refused(string text) => Assert.False(StatusRanges.TryParse(text, out _));
}
