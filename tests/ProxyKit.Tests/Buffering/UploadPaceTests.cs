using Microsoft.Extensions.Time.Testing;
using ProxyKit.Buffering;

namespace ProxyKit.Tests.Buffering;

public class UploadPaceTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_fast_client_is_read_at_once()
    {
        var pace = new UploadPace(1_000_000, _time);
        for (var received = 50_000L; received < 1_000_000; received += 50_000)
        {
            Assert.Equal(TimeSpan.Zero, pace.Wait(received));
            _time.Advance(TimeSpan.FromMilliseconds(20));
        }
    }

    [Theory]
    [InlineData(1_000_000, 1000)] // 16 KB are there in a second
    [InlineData(17_900, 119)] // the rest is there before
    [InlineData(16_500, 0)]
    public void A_slow_client_is_read_when_there_is_something_to_read(int length, int milliseconds)
    {
        var pace = new UploadPace(length, _time);
        Assert.Equal(TimeSpan.Zero, pace.Wait(100));
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(milliseconds, (int)pace.Wait(16_100).TotalMilliseconds, 10.0);
    }

    [Fact]
    public void A_length_that_is_not_known_is_not_waited_for()
    {
        var pace = new UploadPace(null, _time);
        pace.Wait(100);
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(TimeSpan.Zero, pace.Wait(1000));
    }
}
