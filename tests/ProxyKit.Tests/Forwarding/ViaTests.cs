using System.Net;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Tests.Forwarding;

/// <summary>Via (RFC 9110 §7.6.3) marks each message; who meets his own mark has a loop.</summary>
public class ViaTests
{
    private readonly Recorder _upstream = Recorder.WithHeaders(("Via", "1.1 origin"));

    [Fact]
    public async Task It_is_added_to_request_and_response()
    {
        await using var app = await ProxyApp.StartAsync(_upstream, options: o => o.Pseudonym = "edge");
        var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Add("Via", "1.0 fred, 1.1 p.example.net");

        var response = await app.Client.SendAsync(request);

        Assert.Equal("1.0 fred, 1.1 p.example.net, 1.1 edge", _upstream.Last["Via"]);
        Assert.Equal("1.1 origin, 1.1 edge", string.Join(", ", response.Headers.GetValues("Via")));
    }

    [Theory]
    [InlineData("1.1 edge")]
    [InlineData("1.1 EDGE")]
    [InlineData("2 edge (comment)")]
    [InlineData("1.0 fred, HTTP/1.1 edge, 1.1 other")]
    [InlineData("1.1   edge")]
    public async Task A_request_that_was_here_before_is_508(string via)
    {
        await using var app = await ProxyApp.StartAsync(_upstream, options: o => o.Pseudonym = "edge");

        var response = await app.GetRawAsync("/", c => c.Request.Headers.Via = via);

        Assert.Equal(508, response.Response.StatusCode);
        Assert.Empty(_upstream.Requests);
        Assert.Equal(ProxyError.LoopDetected, (await app.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task A_mark_on_a_second_line_is_seen()
    {
        await using var app = await ProxyApp.StartAsync(_upstream, options: o => o.Pseudonym = "edge");

        var response = await app.GetRawAsync("/", c => c.Request.Headers.Via = new(["1.1 fred", "1.1 edge"]));

        Assert.Equal(508, response.Response.StatusCode);
    }

    [Theory]
    [InlineData("1.1 edge2")]
    [InlineData("1.1 myedge")]
    [InlineData("1.1 other (edge)")]
    [InlineData("edge")]
    [InlineData("1.1 edge:8080")]
    public async Task Another_proxys_mark_is_no_loop(string via)
    {
        await using var app = await ProxyApp.StartAsync(_upstream, options: o => o.Pseudonym = "edge");

        Assert.Equal(200, (await app.GetRawAsync("/", c => c.Request.Headers.Via = via)).Response.StatusCode);
    }

    [Fact]
    public async Task Each_start_has_a_pseudonym_of_its_own() => Assert.NotEqual(await PseudonymAsync(), await PseudonymAsync());

    private async Task<string?> PseudonymAsync()
    {
        await using var app = await ProxyApp.StartAsync(_upstream);
        await app.Client.GetAsync("/");
        return _upstream.Last["Via"];
    }
}
