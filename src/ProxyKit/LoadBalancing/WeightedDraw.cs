namespace ProxyKit.LoadBalancing;

/// <summary>Draws among the available destinations at random, by weight, in constant time (Vose's alias method).</summary>
internal sealed class WeightedDraw
{
    private const int Tries = 4;

    private readonly Destination[] _destinations;
    private readonly double[] _weights;

    // A column for each: up to the threshold it is the destination itself, above it the alias. Null while all weigh the same.
    private readonly (double Threshold, int Alias)[]? _columns;

    public WeightedDraw(DestinationSet set)
    {
        _destinations = [.. set.Available];
        _weights = set.Weights;
        if (set.IsWeighted)
            _columns = Columns(_weights);
    }

    public Destination this[int index] => _destinations[index];

    public double WeightOf(int index) => _weights[index];

    /// <summary>The index of one that is accepted and is not <paramref name="except"/>; -1 when there is none.</summary>
    public int Next(in PickContext context, int except)
    {
        if (_destinations.Length <= (except < 0 ? 0 : 1))
            return -1;
        for (var i = 0; i < Tries; i++)
        {
            var index = Draw();
            if (index != except && context.Accepts(_destinations[index]))
                return index;
        }
        return Search(context, except);
    }

    private int Draw()
    {
        if (_columns is null)
            return Random.Shared.Next(_destinations.Length);
        var point = Random.Shared.NextDouble() * _columns.Length;
        var index = (int)point;
        return point - index < _columns[index].Threshold ? index : _columns[index].Alias;
    }

    // Most are refused: one pass over all (reservoir sampling by weight), so that what is refused falls to the others by their weights, and not to its neighbour.
    private int Search(in PickContext context, int except)
    {
        var chosen = -1;
        var sum = 0.0;
        for (var i = 0; i < _destinations.Length; i++)
        {
            if (i == except || !context.Accepts(_destinations[i]))
                continue;
            sum += _weights[i];
            if (Random.Shared.NextDouble() * sum < _weights[i])
                chosen = i;
        }
        return chosen;
    }

    private static (double Threshold, int Alias)[] Columns(double[] weights)
    {
        var columns = new (double Threshold, int Alias)[weights.Length];
        var average = weights.Sum() / weights.Length;
        var shares = weights.Select(w => w / average).ToArray();
        var small = new Stack<int>(Enumerable.Range(0, shares.Length).Where(i => shares[i] < 1));
        var large = new Stack<int>(Enumerable.Range(0, shares.Length).Where(i => shares[i] >= 1));
        while (small.Count > 0 && large.Count > 0)
        {
            var (less, more) = (small.Pop(), large.Pop());
            columns[less] = (shares[less], more);
            shares[more] -= 1 - shares[less];
            (shares[more] < 1 ? small : large).Push(more);
        }
        // What is left fills its column, but for rounding.
        foreach (var index in small.Concat(large))
            columns[index] = (1, index);
        return columns;
    }
}
