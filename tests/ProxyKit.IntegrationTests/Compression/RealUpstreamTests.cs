using System.IO.Compression;
using System.Net;
using Microsoft.AspNetCore.Builder;
using ProxyKit.IntegrationTests.Php;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Compression;

using Wire = ProxyKit.IntegrationTests.Protocols.Wire;

/// <summary>nginx, which compresses by itself, and validators that are its own.</summary>
public class NginxUpstreamTests(NginxServer nginx) : IClassFixture<NginxServer>
{
    [Fact]
    public async Task What_nginx_compresses_passes_and_what_it_does_not_is_compressed()
    {
        await using var proxy = await StartAsync();
        using var http = proxy.CreateClient(Wire.Http1);

        using var gzip = await GetAsync(http, "gzip");
        using var brotli = await GetAsync(http, "br");

        Assert.Equal(["gzip"], gzip.Content.Headers.ContentEncoding);
        Assert.Equal(["br"], brotli.Content.Headers.ContentEncoding);
        Assert.True(gzip.Headers.ETag!.IsWeak); // nginx' own doing
        Assert.EndsWith("-br\"", brotli.Headers.ETag!.ToString(), StringComparison.Ordinal);
        await using var body = new BrotliStream(await brotli.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        Assert.Equal(new string('a', 10_000), await new StreamReader(body).ReadToEndAsync());
    }

    [Fact]
    public async Task Its_validators_match_in_every_encoding()
    {
        await using var proxy = await StartAsync();
        using var http = proxy.CreateClient(Wire.Http1);
        foreach (var coding in new[] { "br", "identity" })
        {
            using var first = await GetAsync(http, coding);
            using var again = await GetAsync(http, coding, first.Headers.ETag!.ToString());

            Assert.Equal((HttpStatusCode.NotModified, first.Headers.ETag), (again.StatusCode, again.Headers.ETag));
        }
    }

    private static Task<HttpResponseMessage> GetAsync(HttpClient http, string acceptEncoding, string? ifNoneMatch = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/page.html");
        request.Headers.TryAddWithoutValidation("Accept-Encoding", acceptEncoding);
        if (ifNoneMatch is not null)
            request.Headers.TryAddWithoutValidation("If-None-Match", ifNoneMatch);
        return http.SendAsync(request);
    }

    private Task<KestrelApp> StartAsync()
    {
        RealServer.Require("nginx", "nginx-light");
        return Peers.StartProxyAsync(Wire.Http1, nginx.Url, r => r.WithCompression());
    }
}

/// <summary>Scripts of PHP, buffered as FastCGI is, compressed by the proxy or by themselves.</summary>
public class PhpUpstreamTests
{
    [Theory]
    [InlineData("<?php header('Content-Type: text/html'); echo str_repeat('<p>hello</p>', 10000);")]
    [InlineData("<?php ob_start('ob_gzhandler'); header('Content-Type: text/html'); echo str_repeat('<p>hello</p>', 10000);")]
    [InlineData("<?php header('Content-Type: text/html'); for ($i = 0; $i < 100; $i++) { echo str_repeat('<p>hello</p>', 100); flush(); }")]
    public async Task A_page_comes_as_gzip_once(string script)
    {
        await using var fpm = await PhpFpm.StartAsync();
        fpm.With("page.php", script);
        await using var proxy = await PhpProxy.StartAsync(fpm, r => r.WithCompression());
        using var http = PhpProxy.CreateClient(proxy);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/page.php") { Headers = { AcceptEncoding = { new("gzip") } } };

        using var response = await http.SendAsync(request);

        Assert.Equal(["gzip"], response.Content.Headers.ContentEncoding);
        await using var body = new GZipStream(await response.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        Assert.Equal(string.Concat(Enumerable.Repeat("<p>hello</p>", 10000)), await new StreamReader(body).ReadToEndAsync());
    }
}
