using System.Net;

namespace ProxyKit.Tests.FastCgi;

/// <summary>What is believed of the client's address, scheme and host.</summary>
public sealed class ForwardedClientTests : IDisposable
{
    private readonly SiteFolder _site = new("x.php");

    public void Dispose() => _site.Dispose();

    [Theory]
    // The rightmost that is not one of ours.
    [InlineData("X-Forwarded-For", "192.0.2.7", "192.0.2.7", null)]
    [InlineData("X-Forwarded-For", "6.6.6.6, 192.0.2.7", "192.0.2.7", null)]
    [InlineData("X-Forwarded-For", "6.6.6.6, 192.0.2.7, 10.0.0.2,10.0.0.3", "192.0.2.7", null)]
    [InlineData("X-Forwarded-For", "6.6.6.6 , 192.0.2.7 ,", "192.0.2.7", null)]
    // Ours all the way: the outermost.
    [InlineData("X-Forwarded-For", "10.0.0.9, 10.0.0.2", "10.0.0.9", null)]
    [InlineData("X-Forwarded-For", "192.0.2.7:4711", "192.0.2.7", "4711")]
    [InlineData("X-Forwarded-For", "2001:db8::7", "2001:db8::7", null)]
    [InlineData("X-Forwarded-For", "[2001:db8::7]:4711", "2001:db8::7", "4711")]
    [InlineData("X-Forwarded-For", "::ffff:192.0.2.7", "192.0.2.7", null)]
    // Not understood: the last that is known.
    [InlineData("X-Forwarded-For", "192.0.2.7, unknown", "10.0.0.1", "40000")]
    [InlineData("X-Forwarded-For", "192.0.2.7, 1234", "10.0.0.1", "40000")]
    [InlineData("X-Forwarded-For", "192.0.2.7, _hidden, 10.0.0.2", "10.0.0.2", null)]
    [InlineData("X-Forwarded-For", "", "10.0.0.1", "40000")]
    [InlineData("Forwarded", "for=192.0.2.7", "192.0.2.7", null)]
    [InlineData("Forwarded", "for=6.6.6.6, For=\"192.0.2.7:4711\";proto=http;by=10.0.0.2", "192.0.2.7", "4711")]
    [InlineData("Forwarded", "for=\"[2001:db8::7]:4711\", for=10.0.0.2", "2001:db8::7", "4711")]
    [InlineData("Forwarded", "for=6.6.6.6, for=\"x\\\",y\"", "10.0.0.1", "40000")]
    [InlineData("Forwarded", "for=\"", "10.0.0.1", "40000")]
    [InlineData("Forwarded", ";=,", "10.0.0.1", "40000")]
    public async Task A_trusted_proxy_says_who_the_client_is(string header, string value, string address, string? port)
    {
        await using var app = await CgiApp.StartAsync(_site.Root, options => options.TrustedProxies.Add("10.0.0.0/8"));

        Assert.Equal(200, await GetAsync(app, "10.0.0.1", (header, value)));

        Assert.Equal((address, port), (app["REMOTE_ADDR"], app["REMOTE_PORT"]));
        Assert.Equal(address, app["REMOTE_HOST"]);
    }

    [Theory]
    [InlineData("X-Forwarded-Proto", "https", "on", "https", "443")]
    [InlineData("X-Forwarded-Proto", "HTTPS", "on", "https", "443")]
    [InlineData("X-Forwarded-Proto", "http", null, "http", "80")]
    [InlineData("X-Forwarded-Proto", "https, http", null, "http", "80")] // our proxy's word is the last
    [InlineData("X-Forwarded-Proto", "gopher", null, "http", "5000")]
    [InlineData("X-Forwarded-Port", "8443", null, "http", "8443")]
    [InlineData("X-Forwarded-Port", "99999", null, "http", "5000")]
    [InlineData("Forwarded", "proto=https;for=192.0.2.7", "on", "https", "443")]
    [InlineData("Forwarded", "for=6.6.6.6;proto=http, for=192.0.2.7;proto=https, for=10.0.0.2;proto=http", "on", "https", "443")]
    public async Task A_trusted_proxy_says_what_the_client_speaks(string header, string value, string? https, string scheme, string port)
    {
        await using var app = await CgiApp.StartAsync(_site.Root, options => options.TrustedProxies.Add("10.0.0.0/8"));

        await GetAsync(app, "10.0.0.1", (header, value));

        Assert.Equal((https, scheme, port), (app["HTTPS"], app["REQUEST_SCHEME"], app["SERVER_PORT"]));
    }

    [Theory]
    [InlineData("X-Forwarded-Host", "shop.example", "shop.example", "80", "shop.example")]
    [InlineData("X-Forwarded-Host", "shop.example:81", "shop.example", "81", "shop.example:81")]
    [InlineData("X-Forwarded-Host", "evil.example, shop.example", "shop.example", "80", "shop.example")]
    [InlineData("X-Forwarded-Host", "sh op", "proxy.example", "5000", "proxy.example")]
    [InlineData("X-Forwarded-Host", "a/b", "proxy.example", "5000", "proxy.example")]
    [InlineData("Forwarded", "host=\"shop.example:81\";proto=https", "shop.example", "81", "shop.example:81")]
    public async Task A_trusted_proxy_says_what_the_client_called_the_server(string header, string value, string name, string port, string host)
    {
        await using var app = await CgiApp.StartAsync(_site.Root, options => options.TrustedProxies.Add("10.0.0.0/8"));

        await GetAsync(app, "10.0.0.1", (header, value));

        Assert.Equal((name, port), (app["SERVER_NAME"], app["SERVER_PORT"]));
        Assert.Equal(host, app.Requests[^1].Headers.Host);
    }

    [Fact]
    public async Task Each_field_is_read_at_the_same_hop()
    {
        await using var app = await CgiApp.StartAsync(_site.Root, options => options.TrustedProxies.Add("10.0.0.0/8"));

        await GetAsync(app, "10.0.0.1",
            ("X-Forwarded-For", "6.6.6.6, 192.0.2.7, 10.0.0.2"), ("X-Forwarded-Proto", "http, https, http"), ("X-Forwarded-Host", "evil.example, shop.example, inner.example"));

        Assert.Equal(("192.0.2.7", "on", "shop.example", "443"), (app["REMOTE_ADDR"], app["HTTPS"], app["SERVER_NAME"], app["SERVER_PORT"]));
    }

    [Fact]
    public async Task A_stranger_says_nothing()
    {
        await using var app = await CgiApp.StartAsync(_site.Root, options => options.TrustedProxies.Add("10.0.0.0/8"));

        await GetAsync(app, "192.0.2.66", ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Port", "1"), ("Forwarded", "for=127.0.0.1;proto=https;host=evil.example"));

        Assert.Equal(("192.0.2.66", "40000"), (app["REMOTE_ADDR"], app["REMOTE_PORT"]));
        Assert.Equal((null, "http", "5000", "proxy.example"), (app["HTTPS"], app["REQUEST_SCHEME"], app["SERVER_PORT"], app["SERVER_NAME"]));
    }

    private static Task<int> GetAsync(CgiApp app, string peer, params (string Name, string Value)[] headers) => app.GetAsync("/x.php", context =>
    {
        context.Connection.RemoteIpAddress = IPAddress.Parse(peer);
        (context.Connection.RemotePort, context.Connection.LocalPort) = (40000, 5000);
        context.Request.Host = new("proxy.example");
        foreach (var (name, value) in headers)
            context.Request.Headers[name] = value;
    });
}
