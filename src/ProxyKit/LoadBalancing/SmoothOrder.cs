namespace ProxyKit.LoadBalancing;

/// <summary>
/// The order of nginx's smooth weighted round robin, computed to the point where it repeats itself: with weights 5, 1 and 1 it is a a b a c a a.
/// </summary>
internal static class SmoothOrder
{
    /// <summary>Steps that are spent on an order at most; beyond, the weights are made coarser.</summary>
    private const long MaxSteps = 1 << 24;

    public static int[] Of(double[] weights)
    {
        var whole = Whole(weights);
        var order = new int[whole.Sum()];
        var current = new int[whole.Length];
        for (var i = 0; i < order.Length; i++)
        {
            var best = 0;
            for (var j = 0; j < whole.Length; j++)
            {
                current[j] += whole[j];
                if (current[j] > current[best])
                    best = j;
            }
            current[best] -= order.Length;
            order[i] = best;
        }
        return order;
    }

    // The order is as long as their sum. Weights are whole but while a destination starts slowly; then a hundredth of the usual one is fine enough.
    private static int[] Whole(double[] weights)
    {
        var unit = weights.All(double.IsInteger) ? 1 : Math.Clamp(Math.Ceiling(100 / weights.Average()), 1, 100);
        var steps = weights.Length * weights.Sum() * unit / weights.Select(w => Round(w * unit)).Aggregate(GreatestCommonDivisor);
        if (steps > MaxSteps)
            unit *= MaxSteps / (weights.Length * weights.Sum() * unit);
        var whole = weights.Select(w => Round(w * unit)).ToArray();
        var divisor = whole.Aggregate(GreatestCommonDivisor);
        return [.. whole.Select(w => w / divisor)];
    }

    private static int Round(double weight) => Math.Max(1, (int)Math.Round(weight));

    private static int GreatestCommonDivisor(int a, int b)
    {
        while (b != 0)
            (a, b) = (b, a % b);
        return a;
    }
}
