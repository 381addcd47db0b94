using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace ProxyKit.IntegrationTests.Buffering;

public class SlowUploadTests
{
    [Fact]
    public async Task A_slow_upload_is_408_and_logs_no_error()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        await using var proxy = await KestrelApp.StartProxyAsync(upstream.Url, route => route.WithRequestBuffering(b => b.IdleTimeout = TimeSpan.FromMilliseconds(200)));

        for (var i = 0; i < 10; i++)
        {
            using var client = await RawClient.ConnectAsync(proxy.Port);
            await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf");

            Assert.StartsWith("HTTP/1.1 408 ", await client.ReadToEndAsync());
        }

        Assert.Equal(0, upstream.Connections);
        Assert.DoesNotContain(proxy.Logs.GetSnapshot(), record => record.Level >= LogLevel.Warning || record.Exception is not null && record.Level >= LogLevel.Information);
    }
}
