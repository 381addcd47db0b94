using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Tests.Transforms;

public class DelegateTests
{
    private readonly Recorder _upstream = new() { Answer = _ => new(HttpStatusCode.OK) { Content = new StringContent("upstream") } };

    [Fact]
    public async Task A_request_delegate_has_the_last_word()
    {
        await using var app = await StartAsync(t => t
            .OnRequest(c =>
            {
                c.Request.Headers.Remove("X-A");
                c.Request.Headers.Add("X-Destination", c.Destination.Name);
                return default;
            })
            .SetRequestHeader("X-A", "1"));

        await app.Client.GetAsync("/");

        Assert.Null(_upstream.Last["X-A"]);
        Assert.Equal(ProxyApp.Upstream, _upstream.Last["X-Destination"]);
    }

    public static TheoryData<string, Action<HttpRequestMessage>> Refused => new()
    {
        { "Content-Length or Transfer-Encoding", m => m.Headers.TransferEncodingChunked = true },
        { "Content-Length or Transfer-Encoding", m => m.Headers.TryAddWithoutValidation("Transfer-Encoding", "gzip") },
        { "Content-Length or Transfer-Encoding", m => m.Content!.Headers.ContentLength = 1 },
        { "not a host name", m => m.Headers.TryAddWithoutValidation("Host", "a b") },
        { "beyond latin-1", m => m.Headers.TryAddWithoutValidation("X-A", "€") },
    };

    [Theory(DisableDiscoveryEnumeration = true)]
    [MemberData(nameof(Refused))]
    public async Task What_would_change_the_framing_is_refused_with_a_log_line(string reason, Action<HttpRequestMessage> change)
    {
        await using var app = await StartAsync(t => t.OnRequest(c =>
        {
            change(c.Request);
            return default;
        }));

        Assert.Equal(HttpStatusCode.BadGateway, (await app.Client.PostAsync("/", new StringContent("body"))).StatusCode);
        Assert.Empty(_upstream.Requests);
        Assert.Contains(app.Logs.GetSnapshot(), r => r.Id.Name == "RequestFailed" && r.Message.Contains(reason, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_response_length_that_is_not_the_bodys_is_ignored_with_a_log_line(bool isCoding)
    {
        await using var app = await StartAsync(t => t.OnResponse(c =>
        {
            if (isCoding)
                c.HttpContext.Response.Headers.TransferEncoding = "chunked";
            else
                c.HttpContext.Response.ContentLength = 1;
            return default;
        }));

        Assert.Equal("upstream", await app.Client.GetStringAsync("/"));
        Assert.Contains(app.Logs.GetSnapshot(), r => r.Id.Name == "LengthRefused");
    }

    [Fact]
    public async Task A_status_answers_the_request()
    {
        await using var app = await StartAsync(t => t.OnRequest(c =>
        {
            c.HttpContext.Response.StatusCode = 418;
            return default;
        }));

        Assert.Equal(418, (int)(await app.Client.GetAsync("/")).StatusCode);
        Assert.Empty(_upstream.Requests);
        Assert.Equal(ProxyError.None, (await app.OutcomeAsync()).Error);
    }

    [Fact]
    public async Task Writing_answers_the_request_and_later_delegates_do_not_run()
    {
        await using var app = await StartAsync(t => t
            .OnRequest(async c => await c.HttpContext.Response.WriteAsync("own"))
            .OnRequest(_ => throw new InvalidOperationException("not reached")));

        Assert.Equal("own", await app.Client.GetStringAsync("/"));
        Assert.Empty(_upstream.Requests);
    }

    [Fact]
    public async Task A_request_delegate_that_throws_is_502()
    {
        await using var app = await StartAsync(t => t.OnRequest(_ => throw new InvalidOperationException("secret")));

        var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsStringAsync());
        var outcome = await app.OutcomeAsync();
        Assert.Equal((ProxyError.RequestCreation, FailureClass.NothingSent, "secret"), (outcome.Error, outcome.FailureClass, outcome.Exception!.Message));
    }

    [Fact]
    public async Task The_content_must_not_be_replaced()
    {
        await using var app = await StartAsync(t => t.OnRequest(c =>
        {
            c.Request.Content = new StringContent("other");
            return default;
        }));

        Assert.Equal(HttpStatusCode.BadGateway, (await app.Client.PostAsync("/", new StringContent("mine"))).StatusCode);
        Assert.Equal(ProxyError.RequestCreation, (await app.OutcomeAsync()).Error);
        Assert.Empty(_upstream.Requests);
    }

    [Fact]
    public async Task The_requests_body_may_be_replaced_where_ASPNET_keeps_it()
    {
        await using var app = await StartAsync(t => t.OnRequest(c =>
        {
            c.HttpContext.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes("uppr"));
            return default;
        }));

        await app.Client.PostAsync("/", new StringContent("mine"));

        Assert.Equal("uppr", _upstream.Last.Body);
    }

    [Fact]
    public async Task A_response_delegate_sees_the_copied_headers_and_the_response()
    {
        await using var app = await StartAsync(t => t.OnResponse(c =>
        {
            c.HttpContext.Response.Headers["X-Seen"] = $"{(int)c.Response!.StatusCode} {c.HttpContext.Response.ContentType}";
            return default;
        }));

        Assert.Equal("200 text/plain; charset=utf-8", (await app.Client.GetAsync("/")).Headers.GetValues("X-Seen").Single());
    }

    [Fact]
    public async Task A_response_delegate_can_write_a_body_of_its_own()
    {
        await using var app = await StartAsync(t => t.OnResponse(async c =>
        {
            c.SuppressResponseBody = true;
            c.HttpContext.Response.ContentLength = 3;
            await c.HttpContext.Response.WriteAsync("own");
        }));

        Assert.Equal("own", await app.Client.GetStringAsync("/"));
    }

    [Fact]
    public async Task A_response_delegate_runs_on_the_proxys_own_errors_too()
    {
        _upstream.Answer = _ => throw new HttpRequestException("secret");
        await using var app = await StartAsync(t => t.OnResponse(c =>
        {
            c.HttpContext.Response.Headers["X-Own"] = (c.Response is null).ToString();
            return default;
        }));

        Assert.Equal("True", (await app.Client.GetAsync("/")).Headers.GetValues("X-Own").Single());
    }

    [Fact]
    public async Task A_response_delegate_that_expects_a_response_does_not_hide_the_error()
    {
        _upstream.Answer = _ => throw new HttpRequestException("down");
        await using var app = await StartAsync(t => t.OnResponse(c => c.Response!.StatusCode == 0 ? default : default));

        Assert.Equal(HttpStatusCode.BadGateway, (await app.Client.GetAsync("/")).StatusCode);
        Assert.Equal(ProxyError.Request, (await app.OutcomeAsync()).Error);
        Assert.Single(app.Logs.GetSnapshot(), line => line.Id.Name == "ErrorTransformFailed");
    }

    [Fact]
    public async Task A_response_delegate_that_throws_is_502()
    {
        await using var app = await StartAsync(t => t.OnResponse(_ => throw new InvalidOperationException("secret")));

        var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsStringAsync());
        Assert.Equal(ProxyError.ResponseCreation, (await app.OutcomeAsync()).Error);
    }

    private Task<ProxyApp> StartAsync(Action<TransformBuilder> transforms) => ProxyApp.StartAsync(_upstream, route => route.WithTransforms(transforms));
}
