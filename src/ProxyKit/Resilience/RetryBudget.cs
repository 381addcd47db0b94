namespace ProxyKit.Resilience;

/// <summary>
/// How many attempts may be added: each request pays in a fraction of one, each retry or hedge takes out a whole one, and besides there is a reserve that fills up with
/// time. So a cluster that is down gets at most that much more than its usual load.
/// </summary>
internal sealed class RetryBudget(RetryConfig config, TimeProvider time)
{
    // In thousandths of an attempt.
    private const int Unit = 1000;
    private const int ReserveSeconds = 10;

    private readonly int _deposit = (int)(config.BudgetRatio * Unit);
    // What the last thousand requests have paid in counts, not a quiet hour.
    private readonly long _most = (long)(config.BudgetRatio * Unit) * 1000;
    private readonly Lock _lock = new();
    private long _balance;
    private double _reserve = config.BudgetMinimum * ReserveSeconds;
    private long _filled = time.GetTimestamp();

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

        lock (_lock)
        {
            var now = time.GetTimestamp();
            _reserve = Math.Min(config.BudgetMinimum * ReserveSeconds, _reserve + (time.GetElapsedTime(_filled, now).TotalSeconds * config.BudgetMinimum));
            _filled = now;
            if (_reserve < 1)
                return false;
            _reserve--;
            return true;
        }
    }
}
