using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.Tests.Forwarding;

public class AttemptTests
{
    [Fact]
    public async Task Whoever_ends_it_waits_until_the_body_is_read_no_more()
    {
        var pipe = new Pipe();
        var context = new DefaultHttpContext { Request = { Body = pipe.Reader.AsStream() } };
        var proxy = (ProxyContext)RuntimeHelpers.GetUninitializedObject(typeof(ProxyContext));
        var clock = new ExchangeClock.Pool(TimeProvider.System).Rent();
        var attempt = new Attempt(proxy, new PreparedRequest(), clock) { Body = new(context, proxy, clock, length: null, replay: null, flushEachWrite: false) };
        var sending = attempt.Body.CopyToAsync(new MemoryStream(), TestContext.Current.CancellationToken); // not by the clock's token: it does not end at once

        var first = attempt.EndAsync().AsTask(); // Polly's, which nobody waits for
        var second = attempt.EndAsync().AsTask();
        Assert.False(first.IsCompleted);
        Assert.False(second.IsCompleted);

        await pipe.Writer.CompleteAsync();
        await Task.WhenAll(first, second, sending);
    }
}
