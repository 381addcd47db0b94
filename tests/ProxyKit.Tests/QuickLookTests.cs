using System.Net;

namespace ProxyKit.Tests;

public class QuickLookTests
{
    [Fact]
    public async Task One_line_forwards_a_request_and_its_answer()
    {
        HttpRequestMessage? seen = null;
        await using var app = await ProxyApp.StartAsync(request =>
        {
            seen = request;
            return new(HttpStatusCode.OK) { Content = new StringContent("hello") };
        });

        var response = await app.Client.GetAsync("/a/b?c=d");

        Assert.Equal("hello", await response.Content.ReadAsStringAsync());
        Assert.Equal("http://upstream.test/a/b?c=d", seen!.RequestUri!.OriginalString);
    }
}
