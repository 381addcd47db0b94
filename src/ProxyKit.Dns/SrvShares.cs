namespace ProxyKit.DnsSrv;

/// <summary>The weights of SRV records (RFC 2782: 0 to 65,535) as weights of destinations (1 to 1,000).</summary>
internal static class SrvShares
{
    /// <param name="weights">A record's weight, in equal parts for each of its addresses.</param>
    public static int[] ToWeights(double[] weights)
    {
        var max = weights.DefaultIfEmpty().Max();
        if (max == 0)
            return [.. weights.Select(_ => 1)];
        if (Array.TrueForAll(weights, w => w is >= 1 and <= 1000 && w == Math.Floor(w)))
            return [.. weights.Select(w => (int)w)];
        // Weight 0 beside others is no exclusion but "a very small chance of being selected".
        return [.. weights.Select(w => Math.Max(1, (int)Math.Round(w * 1000 / max)))];
    }
}
