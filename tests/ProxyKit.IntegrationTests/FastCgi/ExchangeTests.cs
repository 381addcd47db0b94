using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.FastCgi;

/// <summary>What a client of the proxy gets when a FastCGI application answers in this way or that.</summary>
public class ExchangeTests
{
    private const string EndOfRequest = "\x01\x05\x00\x01\x00\x00\x00\x00";
    private const string Get = "GET /x.php?a=b HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n";

    [Fact]
    public async Task An_answer_arrives_with_its_length()
    {
        await using var upstream = Application(Output("Status: 404 Not Found\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 5\r\n\r\nhello") + End());
        await using var proxy = await StartAsync(upstream);

        var answer = await RawClient.SendAsync(proxy.Port, Get);

        Assert.StartsWith("HTTP/1.1 404 Not Found\r\n", answer);
        Assert.Contains("\r\nContent-Length: 5\r\n", answer);
        Assert.Contains("\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n", answer);
        Assert.DoesNotContain("Status:", answer);
        Assert.EndsWith("\r\n\r\nhello", answer);
    }

    [Fact]
    public async Task An_interim_response_is_passed_on()
    {
        await using var upstream = Application(Output("Status: 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nStatus: 201 Created\r\nContent-Length: 5\r\n\r\nhello") + End());
        await using var proxy = await StartAsync(upstream);

        var answer = await RawClient.SendAsync(proxy.Port, Get);

        Assert.StartsWith("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n", answer);
        Assert.Contains("\r\n\r\nHTTP/1.1 201 Created\r\n", answer);
        Assert.EndsWith("\r\n\r\nhello", answer);
    }

    [Theory]
    [InlineData("Content-Length: 10\r\n\r\nhi", true)]
    [InlineData("X: y\r\n\r\nhi", false)]
    public async Task Half_an_answer_never_looks_like_a_whole_one(string output, bool ends)
    {
        await using var upstream = Application(Output(output) + (ends ? End() : ""));
        await using var proxy = await StartAsync(upstream);

        using var client = await RawClient.ConnectAsync(proxy.Port);
        await client.SendAsync(Get);
        var (answer, _) = await client.ReadToEndOrResetAsync();

        Assert.DoesNotContain("\r\n0\r\n\r\n", answer);
        Assert.DoesNotContain("502", answer); // it was under way
        Assert.Equal(ProxyError.ResponseBodyDestination.ToString(), Assert.Single(proxy.Logs.GetSnapshot(), r => r.Id.Name == "ResponseAborted").GetStructuredStateValue("Error"));
    }

    [Theory]
    [InlineData("Status: 101 Switching Protocols\r\n\r\n")]
    [InlineData("X: a\rb\r\n\r\n")]
    [InlineData("nothing of the kind\r\n\r\n")]
    public async Task An_answer_that_is_none_is_a_502(string output)
    {
        await using var upstream = Application(Output(output) + End());
        await using var proxy = await StartAsync(upstream);

        Assert.StartsWith("HTTP/1.1 502 ", await RawClient.SendAsync(proxy.Port, Get));
    }

    [Fact]
    public async Task An_overloaded_application_is_a_503_and_another_one_is_asked()
    {
        await using var overloaded = Application(End('\x02'));
        await using var other = Application(Output("X: y\r\n\r\nhello") + End());
        await using var alone = await StartAsync(overloaded);
        await using var both = await KestrelApp.StartAsync(
            app => app.MapProxy("/{**path}", Address(overloaded), Address(other)).WithLoadBalancing(LoadBalancingPolicies.First).WithRetries(1), services => services.AddReverseProxy());

        Assert.StartsWith("HTTP/1.1 503 ", await RawClient.SendAsync(alone.Port, Get));
        // Not even a POST has been begun there.
        Assert.Contains("hello", await RawClient.SendAsync(both.Port, "POST /x.php HTTP/1.1\r\nHost: example.com\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"));
    }

    [Fact]
    public async Task A_field_that_fits_no_parameter_is_a_431()
    {
        await using var upstream = Application(Output("X: y\r\n\r\nhello") + End());
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/{**path}", Address(upstream)), services => services.AddReverseProxy(), kestrel: options => options.Limits.MaxRequestHeadersTotalSize = 200_000);

        var answer = await RawClient.SendAsync(proxy.Port, Get.Replace("Connection", $"X-Large: {new string('a', 70_000)}\r\nConnection"));

        Assert.StartsWith("HTTP/1.1 431 ", answer);
        Assert.Equal(0, upstream.Connections);
    }

    [Fact]
    public async Task The_connection_is_closed_at_the_end_of_the_answer_not_of_the_download()
    {
        var closed = new TaskCompletionSource();
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadUntilAsync(EndOfRequest);
            await connection.SendAsync(Output("X: y\r\n\r\n" + new string('x', 10_000)) + End());
            await connection.ClosedAsync();
            closed.SetResult();
        });
        await using var proxy = await StartAsync(upstream);

        using var client = await RawClient.ConnectAsync(proxy.Port);
        await client.SendAsync(Get);

        // The client has not read a byte.
        await closed.Task.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task An_early_answer_ends_an_upload()
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadUntilAsync("CONTENT_LENGTH");
            await connection.SendAsync(Output("Status: 413\r\nX: y\r\n\r\ntoo much") + End());
            await connection.ClosedAsync();
        });
        await using var proxy = await KestrelApp.StartAsync(
            app => app.MapProxy("/{**path}", Address(upstream)).WithBuffering(b => b.Request.Enabled = false), services => services.AddReverseProxy());

        using var client = await RawClient.ConnectAsync(proxy.Port);
        await client.SendAsync("POST /x.php HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000\r\n\r\nhalf");

        Assert.Contains("too much", await client.ReadUntilAsync("too much"));
    }

    [Fact]
    public async Task The_handler_works_alone_over_a_port_and_keeps_connections()
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            while (true)
            {
                await connection.ReadUntilAsync(EndOfRequest);
                await connection.SendAsync(Output("Content-type: text/plain\r\n\r\nhello") + End());
            }
        });
        using var client = new HttpClient(new FastCgiHandler(Address(upstream)) { Connections = new() { KeepConnections = true, MaxConnections = 1 } });

        for (var i = 0; i < 3; i++)
            Assert.Equal("hello", await client.GetStringAsync("http://localhost/"));

        Assert.Equal(1, upstream.Connections);
    }

    [Fact]
    public async Task Nobody_who_listens_is_a_connection_error()
    {
        using var client = new HttpClient(new FastCgiHandler("fastcgi://unix:/nowhere/app.sock"));

        var exception = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync("http://localhost/"));

        Assert.Equal(HttpRequestError.ConnectionError, exception.HttpRequestError);
    }

    private static Task<KestrelApp> StartAsync(RawUpstream upstream) => KestrelApp.StartProxyAsync(Address(upstream));

    private static string Address(RawUpstream upstream) => $"fastcgi://127.0.0.1:{upstream.Port}";

    private static RawUpstream Application(string reply) => new(async connection =>
    {
        await connection.ReadUntilAsync(EndOfRequest);
        await connection.SendAsync(reply);
    });

    private static string Output(string text) => new StringBuilder("\x01\x06\x00\x01").Append((char)(text.Length >> 8)).Append((char)(text.Length & 255)).Append("\x00\x00").Append(text).ToString();

    private static string End(char status = '\0') => $"\x01\x03\x00\x01\x00\x08\x00\x00\0\0\0\0{status}\0\0\0";
}
