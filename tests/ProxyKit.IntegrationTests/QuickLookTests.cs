namespace ProxyKit.IntegrationTests;

public class QuickLookTests
{
    [Fact]
    public async Task Bytes_of_the_path_and_query_arrive_as_they_were_sent()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var proxy = await KestrelApp.StartProxyAsync(upstream.Url);

        var response = await RawClient.SendAsync(proxy.Port, "GET /a%2fb/%ff?x=%zz&y=a|b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.EndsWith("\r\n\r\nok", response);
        Assert.StartsWith("GET /a%2fb/%ff?x=%zz&y=a|b HTTP/1.1\r\n", Assert.Single(upstream.Requests));
    }
}
