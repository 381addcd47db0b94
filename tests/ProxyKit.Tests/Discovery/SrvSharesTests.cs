using ProxyKit.DnsSrv;

namespace ProxyKit.Tests.Discovery;

public class SrvSharesTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("0 0", "1 1")]
    [InlineData("1 2 1000", "1 2 1000")]
    [InlineData("0 10 30", "1 333 1000")]
    [InlineData("65535 32768 1", "1000 500 1")]
    [InlineData("0.5 0.5 1", "500 500 1000")]
    public void Weights_of_records_become_weights_of_destinations(string weights, string expected) =>
        Assert.Equal(expected, string.Join(' ', SrvShares.ToWeights([.. weights.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(w => double.Parse(w, System.Globalization.CultureInfo.InvariantCulture))])));
}
