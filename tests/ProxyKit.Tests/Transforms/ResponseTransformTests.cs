using System.Net;
using Microsoft.AspNetCore.Builder;

namespace ProxyKit.Tests.Transforms;

public class ResponseTransformTests
{
    [Theory]
    [InlineData(ResponseCondition.Success, 200, true)]
    [InlineData(ResponseCondition.Success, 302, true)]
    [InlineData(ResponseCondition.Success, 404, false)]
    [InlineData(ResponseCondition.Failure, 200, false)]
    [InlineData(ResponseCondition.Failure, 500, true)]
    [InlineData(ResponseCondition.Always, 200, true)]
    [InlineData(ResponseCondition.Always, 500, true)]
    [InlineData(ResponseCondition.Success, 0, false)] // the proxy's own 502
    [InlineData(ResponseCondition.Failure, 0, true)]
    [InlineData(ResponseCondition.Always, 0, true)]
    public async Task A_condition_says_on_which_responses_it_acts(ResponseCondition when, int status, bool acts)
    {
        var upstream = new Recorder { Answer = _ => status == 0 ? throw new HttpRequestException("down") : new((HttpStatusCode)status) };
        await using var app = await ProxyApp.StartAsync(upstream, route => route.WithTransforms(t => t.SetResponseHeader("X-A", "1", when)));

        Assert.Equal(acts, (await app.Client.GetAsync("/")).Headers.Contains("X-A"));
    }

    [Fact]
    public async Task Headers_are_set_appended_and_removed()
    {
        var response = await GetAsync(t => t.SetResponseHeader("X-Set", "new").AppendResponseHeader("X-Add", "2", ResponseCondition.Always).RemoveResponseHeader("X-Gone").RemoveResponseHeader("X-Kept", ResponseCondition.Failure),
            ("X-Set", "1"), ("X-Add", "1"), ("X-Gone", "1"), ("X-Kept", "1"));

        Assert.Equal("new", response.Headers.GetValues("X-Set").Single());
        Assert.Equal(["1", "2"], response.Headers.GetValues("X-Add"));
        Assert.False(response.Headers.Contains("X-Gone"));
        Assert.True(response.Headers.Contains("X-Kept"));
    }

    [Fact]
    public async Task Only_allowed_headers_are_copied()
    {
        var response = await GetAsync(t => t.AllowResponseHeaders("x-a", "Content-Type"), ("X-A", "1"), ("X-B", "1"), ("Content-Type", "text/x"), ("Content-Language", "de"));

        Assert.True(response.Headers.Contains("X-A"));
        Assert.False(response.Headers.Contains("X-B"));
        Assert.Equal("text/x", response.Content.Headers.ContentType!.ToString());
        Assert.Empty(response.Content.Headers.ContentLanguage);
    }

    [Fact]
    public async Task Headers_that_are_not_copied_can_still_be_set()
    {
        var response = await GetAsync(t => t.CopyResponseHeaders(false).SetResponseHeader("X-Own", "1"), ("X-A", "1"));

        Assert.False(response.Headers.Contains("X-A"));
        Assert.True(response.Headers.Contains("X-Own"));
    }

    [Theory]
    [InlineData("copied", "X-A=1 X-B=2")]
    [InlineData("copied", "X-A=1 X-B=2", false)]
    [InlineData("not copied", "X-Own=1")]
    [InlineData("allowed", "X-B=2")]
    [InlineData("changed", "X-A=1,3 X-C=4")]
    [InlineData("failure", "X-A=1 X-B=2")]
    [InlineData("delegate", "X-A=1 X-B=2 X-D=200")]
    public async Task Trailers_are_transformed(string how, string expected, bool withLength = true)
    {
        var upstream = new Recorder
        {
            Answer = _ =>
            {
                var response = new HttpResponseMessage { Content = withLength ? new StringContent("body") : new UnknownLength("body"), Version = HttpVersion.Version20 };
                response.TrailingHeaders.Add("X-A", "1");
                response.TrailingHeaders.Add("X-B", "2");
                response.TrailingHeaders.TryAddWithoutValidation("Set-Cookie", "evil=1"); // no trailer (RFC 9110 §6.5.1)
                response.TrailingHeaders.TryAddWithoutValidation("X-Forwarded-For", "6.6.6.6");
                return response;
            },
        };
        await using var app = await ProxyApp.StartAsync(upstream, route => route.WithTransforms(t => _ = how switch
        {
            "not copied" => t.CopyResponseTrailers(false).SetResponseTrailer("X-Own", "1", ResponseCondition.Success),
            "allowed" => t.AllowResponseTrailers("x-b"),
            "changed" => t.AppendResponseTrailer("X-A", "3", ResponseCondition.Always).RemoveResponseTrailer("X-B", ResponseCondition.Always).SetResponseTrailer("X-C", "4", ResponseCondition.Success),
            "failure" => t.RemoveResponseTrailer("X-A", ResponseCondition.Failure),
            "delegate" => t.OnResponseTrailers(c =>
            {
                Microsoft.AspNetCore.Http.ResponseTrailerExtensions.AppendTrailer(c.HttpContext.Response, "X-D", ((int)c.Response!.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture));
                return default;
            }),
            _ => t,
        }));

        var response = await app.Client.SendAsync(new(HttpMethod.Get, "/") { Version = HttpVersion.Version20 });

        Assert.Equal("body", await response.Content.ReadAsStringAsync());
        Assert.Equal(expected, string.Join(' ', response.TrailingHeaders.OrderBy(h => h.Key).Select(h => $"{h.Key}={string.Join(',', h.Value)}")));
    }

    private static async Task<HttpResponseMessage> GetAsync(Action<TransformBuilder> transforms, params (string, string)[] headers)
    {
        await using var app = await ProxyApp.StartAsync(Recorder.WithHeaders(headers), route => route.WithTransforms(transforms));
        return await app.Client.GetAsync("/");
    }
}
