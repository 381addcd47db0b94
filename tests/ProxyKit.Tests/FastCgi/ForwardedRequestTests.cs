using System.IO.Pipelines;
using ProxyKit.FastCgi;
using ProxyKit.Forwarding;

namespace ProxyKit.Tests.FastCgi;

/// <summary>A forwarded request tells the application the same with and without HttpClient's messages on the way.</summary>
public class ForwardedRequestTests
{
    [Fact]
    public async Task Both_ways_say_the_same()
    {
        var (direct, message) = await WriteAsync("POST", request =>
        {
            request.Headers.Add("User-Agent", "a browser with ünïcode");
            request.Headers.Add("Cookie", new(["a=b", "c=d"]));
            request.Headers.Add("X-Two", new(["one", "two"]));
            request.Headers.Add("X-Empty", "");
            request.Headers.Add("X-Forwarded-For", "192.0.2.7");
            request.Headers.Add("X_Real_IP", "6.6.6.6");
            request.Headers.Add("Proxy", "evil:1");
            request.Headers.Add("TE", "trailers");
            request.Headers.Add("Expect", "100-continue");
            request.Headers.Add("Content-Type", "text/plain; charset=é");
            request.Headers.Add("Content-Language", "en");
            request.Cgi.Add(new("SCRIPT_NAME", "/ünï.php"));
            request.Cgi.Add(new("QUERY_STRING", ""));
            request.Cgi.Add(new("HTTP_X_FORWARDED_FOR", "")); // taken away by configuration
            request.Cgi.Add(new("PATH_INFO", ""));
        });

        Assert.Equal(message, direct);
        Assert.Contains(new("HTTP_HOST", "asked.example"), direct);
        Assert.Contains(new("HTTP_COOKIE", "a=b; c=d"), direct);
        Assert.Contains(new("HTTP_X_TWO", "one, two"), direct);
        Assert.Contains(new("CONTENT_LENGTH", "0"), direct);
        Assert.DoesNotContain(direct, p => p.Key is "HTTP_X_REAL_IP" or "HTTP_PROXY" or "HTTP_TE" or "HTTP_EXPECT" or "HTTP_X_FORWARDED_FOR" or "PATH_INFO" or "HTTP_CONTENT_TYPE");
    }

    [Fact]
    public async Task A_request_that_has_nothing_has_no_length_either()
    {
        var (direct, message) = await WriteAsync("GET", _ => { });

        Assert.Equal(message, direct);
        Assert.Contains(new("CONTENT_LENGTH", ""), direct);
        Assert.Contains(new("CONTENT_TYPE", ""), direct);
    }

    [Fact]
    public async Task The_destinations_configured_host_comes_before_the_clients_and_a_parameter_before_both()
    {
        var (configured, _) = await WriteAsync("GET", _ => { }, host: "configured.example");
        Assert.Contains(new("HTTP_HOST", "configured.example"), configured);

        var (given, _) = await WriteAsync("GET", request => request.Cgi.Add(new("HTTP_HOST", "given.example")), host: "configured.example");
        Assert.Contains(new("HTTP_HOST", "given.example"), given);
        Assert.DoesNotContain(given, p => p.Value == "configured.example");
    }

    private static async Task<(List<KeyValuePair<string, string>> Direct, List<KeyValuePair<string, string>> Message)> WriteAsync(
        string method, Action<PreparedRequest> prepare, string? host = null)
    {
        var prepared = new PreparedRequest { Method = method, Path = "/x.php", DefaultHost = "asked.example" };
        // What CgiParameters always gives.
        foreach (var name in new[] { "REQUEST_METHOD", "REQUEST_URI", "QUERY_STRING", "SCRIPT_NAME", "SERVER_PROTOCOL", "SERVER_SOFTWARE", "SERVER_NAME", "SERVER_PORT",
            "REQUEST_SCHEME", "REMOTE_ADDR", "REDIRECT_STATUS", "GATEWAY_INTERFACE" })
            prepared.Cgi.Add(new(name, "given"));
        prepare(prepared);
        var added = prepared.Cgi.DistinctBy(p => p.Key).ToDictionary(p => p.Key, p => prepared.Cgi.Last(other => other.Key == p.Key).Value);
        prepared.Cgi.Clear();
        prepared.Cgi.AddRange(added);
        var address = DestinationAddress.Parse("fastcgi://php.test:9000");
        var destination = new Destination(null!, new() { Address = "fastcgi://php.test:9000", Host = host }, address);
        using var invoker = new HttpMessageInvoker(new SocketsHttpHandler());
        using var message = new HttpTransport(invoker, null, null, new()).CreateMessage(prepared, destination);

        return (
            await ReadAsync(writer => new ForwardedRequest(prepared, destination).WriteVariables(writer, new ForwardedRequest(prepared, destination).Length)),
            await ReadAsync(writer => new FastCgiMessage(message).WriteVariables(writer, new FastCgiMessage(message).Length)));
    }

    private static async Task<List<KeyValuePair<string, string>>> ReadAsync(Action<FastCgiRequestWriter> write)
    {
        using var writer = new FastCgiRequestWriter(keepConnection: false);
        writer.Begin();
        write(writer);
        writer.EndParameters();
        var sent = await SentRequest.ReadAsync(PipeReader.Create(new(writer.Written)), throughInput: false);
        return [.. sent!.Parameters.OrderBy(p => p.Key, StringComparer.Ordinal)];
    }
}
