using Microsoft.Extensions.Time.Testing;
using ProxyKit.Health;

namespace ProxyKit.Tests.Health;

/// <summary>The sliding window counts all of what is in it and nothing else.</summary>
public class FailureWindowTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void It_slides_by_tenths()
    {
        var window = new FailureWindow(TimeSpan.FromSeconds(10), _time);
        for (var second = 0; second < 25; second++)
        {
            window.Add(_time.GetTimestamp(), 1, (uint)(second % 2));
            Assert.Equal(Math.Min(second + 1, 10), window.Sum(_time.GetTimestamp()).Requests);
            _time.Advance(TimeSpan.FromSeconds(1));
        }
        Assert.Equal((9, 4), window.Sum(_time.GetTimestamp()));

        _time.Advance(TimeSpan.FromSeconds(8));
        Assert.Equal((1, 0), window.Sum(_time.GetTimestamp()));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((0, 0), window.Sum(_time.GetTimestamp()));
    }

    [Fact]
    public void Nothing_is_lost_between_threads()
    {
        var window = new FailureWindow(TimeSpan.FromSeconds(10), _time);

        Parallel.For(0, 40_000, i => window.Add(_time.GetTimestamp(), 1, i % 4 == 0 ? 1u : 0));

        Assert.Equal((40_000, 10_000), window.Sum(_time.GetTimestamp()));
    }

    [Fact]
    public void A_bucket_that_is_full_keeps_its_proportion()
    {
        var window = new FailureWindow(TimeSpan.FromHours(1), _time);

        for (var i = 0; i < 1_500_000; i++)
            window.Add(_time.GetTimestamp(), 1, (uint)(i % 2));

        Assert.Equal(((1 << 20) - 1, ((1 << 20) - 1) / 2), window.Sum(_time.GetTimestamp()));
    }

    [Fact]
    public void Cleared_it_is_empty()
    {
        var window = new FailureWindow(TimeSpan.FromSeconds(10), _time);
        window.Add(_time.GetTimestamp(), 1, 1);

        window.Clear();

        Assert.Equal((0, 0), window.Sum(_time.GetTimestamp()));
    }
}
