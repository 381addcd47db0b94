namespace ProxyKit.LoadBalancing;

/// <summary>
/// A tournament tree: which of many has the least load, in logarithmic time after each change. Of equals it is the one whose turn it is: each use moves a
/// destination's next turn back by a step, heavy ones' by a smaller one. Not thread-safe.
/// </summary>
internal sealed class LoadTree
{
    private readonly double[] _loads;
    private readonly double[] _turns;

    // The winner of each match; the final is at 1, the leaves begin in the middle.
    private readonly int[] _winners;
    private readonly int _firstLeaf = 1;

    /// <param name="count">How many there are.</param>
    /// <param name="turn">Whose turn was last, so that another tree's turns go on.</param>
    public LoadTree(int count, double turn)
    {
        Turn = turn;
        _loads = new double[count];
        _turns = new double[count];
        while (_firstLeaf < count)
            _firstLeaf *= 2;
        _winners = new int[2 * _firstLeaf];
        Array.Fill(_winners, -1);
        for (var i = 0; i < count; i++)
            Put(i);
    }

    public int Best => _winners[1];

    public double Turn { get; private set; }

    public double TurnOf(int index) => _turns[index];

    public void SetTurn(int index, double turn)
    {
        _turns[index] = turn;
        Put(index);
    }

    public void SetLoad(int index, double load)
    {
        _loads[index] = load;
        Put(index);
    }

    // Start-time fair queueing: one that had no turn for long does not make up for it.
    public void TakeTurn(int index, double step)
    {
        Turn = Math.Max(Turn, _turns[index]);
        SetTurn(index, Turn + step);
    }

    private void Put(int index)
    {
        var node = _firstLeaf + index;
        _winners[node] = index;
        while (node > 1)
        {
            node /= 2;
            var (left, right) = (_winners[2 * node], _winners[(2 * node) + 1]);
            var winner = right < 0 || (left >= 0 && !IsBefore(right, left)) ? left : right;
            // The matches above have the same players as before.
            if (winner == _winners[node] && winner != index)
                return;
            _winners[node] = winner;
        }
    }

    private bool IsBefore(int a, int b) => _loads[a] < _loads[b] || (_loads[a] == _loads[b] && _turns[a] < _turns[b]);
}
