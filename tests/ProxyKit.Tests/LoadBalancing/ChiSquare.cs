namespace ProxyKit.Tests.LoadBalancing;

/// <summary>Pearson's test of how well counts fit shares.</summary>
internal static class ChiSquare
{
    // A fair policy fails once in a thousand million runs.
    private const double Quantile = 6.0;

    public static void AssertFits(int[] counts, params double[] shares)
    {
        Assert.Equal(shares.Length, counts.Length);
        double total = counts.Sum(), sum = shares.Sum(), statistic = 0;
        for (var i = 0; i < counts.Length; i++)
        {
            var expected = total * shares[i] / sum;
            if (expected == 0)
                Assert.Equal(0, counts[i]);
            else
                statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
        }
        // Wilson and Hilferty.
        var freedom = shares.Count(s => s > 0) - 1.0;
        var limit = freedom * Math.Pow(1 - (2 / (9 * freedom)) + (Quantile * Math.Sqrt(2 / (9 * freedom))), 3);
        Assert.True(statistic < limit, $"{string.Join(", ", counts)} is not {string.Join(" : ", shares)} (chi square {statistic:0.0}, limit {limit:0.0}).");
    }
}
