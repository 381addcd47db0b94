namespace ProxyKit.Resilience;

/// <summary>
/// How many attempts may be added: each request pays in a fraction of one, each retry or hedge takes out a whole one, and a few a second are free. So a cluster that is
/// down gets at most that much more than its usual load. Lock-free.
/// </summary>
internal sealed class RetryBudget(RetryConfig config, TimeProvider time)
{
    // In thousandths of an attempt.
    private const int Unit = 1000;

    private readonly int _deposit = (int)(config.BudgetRatio * Unit);
    // What requests of the last while have paid in counts; what a quiet hour has, does not.
    private readonly long _most = (long)(config.BudgetRatio * Unit) * 1000;
    private long _balance;
    private long _second;
    private int _free;

    /// <summary>A request has come in.</summary>
    public void Deposit()
    {
        if (_deposit > 0 && Interlocked.Add(ref _balance, _deposit) > _most)
            Interlocked.Add(ref _balance, -_deposit);
    }

    /// <summary>Whether another attempt may be made now.</summary>
    public bool TryWithdraw()
    {
        if (Interlocked.Add(ref _balance, -Unit) >= 0)
            return true;
        Interlocked.Add(ref _balance, Unit);

        var second = time.GetTimestamp() / time.TimestampFrequency;
        var last = Volatile.Read(ref _second);
        if (last != second && Interlocked.CompareExchange(ref _second, second, last) == last)
            Volatile.Write(ref _free, 0);
        return Interlocked.Increment(ref _free) <= config.BudgetMinimum;
    }
}
