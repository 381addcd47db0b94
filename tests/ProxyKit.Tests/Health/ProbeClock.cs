using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace ProxyKit.Tests.Health;

/// <summary>A clock that tells when a prober has gone to sleep, and for how long: so a test knows all that happens until it moves the clock.</summary>
internal sealed class ProbeClock : FakeTimeProvider
{
    /// <summary>Time limit of the tests' probes: a timer of that length is no sleep.</summary>
    public static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(3);

    private readonly Channel<TimeSpan> _sleeps = Channel.CreateUnbounded<TimeSpan>();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        if (dueTime > TimeSpan.Zero && period == Timeout.InfiniteTimeSpan && dueTime != ProbeTimeout)
            _sleeps.Writer.TryWrite(dueTime);
        return timer;
    }

    /// <summary>The next sleep that a prober begins, or has begun since the last one was asked for.</summary>
    public async Task<TimeSpan> SleepAsync() => await _sleeps.Reader.ReadAsync(TestContext.Current.CancellationToken);

    /// <summary>Whether a prober has gone to sleep that was not asked for.</summary>
    public bool HasSleeps => _sleeps.Reader.TryPeek(out _);

    /// <summary>Lets the one prober there is probe <paramref name="times"/> times more, and gives the sleeps that it went to.</summary>
    public async Task<TimeSpan[]> ProbeAsync(TimeSpan sleep, int times = 1)
    {
        var sleeps = new List<TimeSpan>();
        for (var i = 0; i < times; i++)
        {
            Advance(sleep);
            sleeps.Add(sleep = await SleepAsync());
        }
        return [.. sleeps];
    }
}
