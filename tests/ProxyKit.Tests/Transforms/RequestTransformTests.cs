using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Tests.Transforms;

public class RequestTransformTests
{
    [Theory]
    [InlineData("?a=1&b=2&c=3", "?a=1&c=3&b=x")]
    [InlineData("?a=%zz&b=2&B=3&%62=4&c=a+b", "?a=%zz&c=a+b&b=x")]
    [InlineData("?bb=1&a", "?bb=1&a&b=x")]
    [InlineData("", "?b=x")]
    [InlineData("?", "?b=x")]
    [InlineData("??b=1", "??b=1&b=x")]
    public async Task A_set_query_parameter_leaves_every_byte_of_the_others(string query, string expected) =>
        Assert.Equal("/" + expected, (await SendAsync(t => t.SetQuery("b", "x"), "/" + query)).Target);

    [Theory]
    [InlineData("?b=1", "?b=1&b=x%26y")]
    [InlineData("", "?b=x%26y")]
    public async Task An_appended_query_parameter_stands_beside_the_others(string query, string expected) =>
        Assert.Equal("/" + expected, (await SendAsync(t => t.AppendQuery("b", "x&y"), "/" + query)).Target);

    [Theory]
    [InlineData("?a=1&b=2&B=3&c=%zz", "?a=1&c=%zz")]
    [InlineData("?b", "")]
    [InlineData("", "")]
    public async Task A_removed_query_parameter_leaves_the_others(string query, string expected) =>
        Assert.Equal("/" + expected, (await SendAsync(t => t.RemoveQuery("b"), "/" + query)).Target);

    [Fact]
    public async Task Route_values_become_query_parameters_and_headers()
    {
        var sent = await SendAsync(t => t.SetQueryFromRoute("p", "path").AppendQueryFromRoute("none", "missing").SetRequestHeaderFromRoute("X-P", "path")
            .AppendRequestHeaderFromRoute("X-P", "path").SetRequestHeaderFromRoute("X-None", "missing"), "/a%20b?p=0");

        Assert.Equal("/a%20b?p=a%20b", sent.Target);
        Assert.Equal("a b | a b", sent["X-P"]);
        Assert.Null(sent["X-None"]);
    }

    [Fact]
    public async Task A_route_value_cannot_write_a_header_of_its_own()
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream, route => route.WithTransforms(t => t.SetRequestHeaderFromRoute("X-P", "path")));

        Assert.Equal(400, (await app.GetRawAsync("/a%0d%0aX-Evil:1")).Response.StatusCode);
        Assert.Empty(upstream.Requests);
        Assert.Equal(ProxyError.RequestRejected, (await app.OutcomeAsync()).Error);
    }

    // The wire has bytes; in a message each is one latin-1 character.
    [Theory]
    [InlineData(null, "/%E2%82%AC", 400, null)]
    [InlineData(null, "/%C3%A9", 200, "\u00e9")]
    [InlineData("utf-8", "/%E2%82%AC", 200, "\u00e2\u0082\u00ac")]
    [InlineData("utf-8", "/%C3%A9", 200, "\u00c3\u00a9")]
    [InlineData("us-ascii", "/%C3%A9", 400, null)]
    public async Task A_route_value_is_encoded_as_configured_or_refused(string? encoding, string target, int status, string? expected)
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream, route => route
            .WithHttpClient(h => h.RequestHeaderEncoding = encoding)
            .WithTransforms(t => t.SetRequestHeaderFromRoute("X-P", "path")));

        Assert.Equal(status, (await app.GetRawAsync(target)).Response.StatusCode);

        if (expected is null)
            Assert.Empty(upstream.Requests);
        else
            Assert.Equal(expected, upstream.Last["X-P"]);
    }

    [Fact]
    public async Task What_the_client_sent_passes_byte_for_byte_beside_an_encoding_of_its_own()
    {
        var upstream = Recorder.WithHeaders(("X-R", "\u00c3\u00bc\u00ff"));
        await using var app = await ProxyApp.StartAsync(upstream, route => route
            .WithHttpClient(h => (h.RequestHeaderEncoding, h.ResponseHeaderEncoding) = ("utf-8", "utf-8"))
            .WithTransforms(t => t.SetRequestHeader("X-T", "€").SetResponseHeader("X-T", "€")));

        var context = await app.GetRawAsync("/", c => c.Request.Headers["X-C"] = "\u00c3\u00bc\u00ff");

        Assert.Equal("\u00c3\u00bc\u00ff", upstream.Last["X-C"]);
        Assert.Equal("\u00e2\u0082\u00ac", upstream.Last["X-T"]);
        Assert.Equal("\u00c3\u00bc\u00ff", context.Response.Headers["X-R"]);
        Assert.Equal("\u00e2\u0082\u00ac", context.Response.Headers["X-T"]);
    }

    [Theory]
    [InlineData(null, 400, null)]
    [InlineData("utf-8", 200, "\u00e2\u0082\u00ac")]
    public async Task A_header_that_a_middleware_has_set_is_encoded_as_configured_or_refused(string? encoding, int status, string? expected)
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream, route => route.WithHttpClient(h => h.RequestHeaderEncoding = encoding));

        Assert.Equal(status, (await app.GetRawAsync("/", c => c.Request.Headers["X-User"] = "€")).Response.StatusCode);

        if (expected is not null)
            Assert.Equal(expected, upstream.Last["X-User"]);
    }

    [Fact]
    public async Task An_internationalized_host_is_sent_as_its_A_label()
    {
        Assert.Equal("xn--bcher-kva.example:81", (await SendAsync(t => t.SetRequestHeader("Host", "bücher.example:81"), "/")).Host);
        Assert.Equal("xn--bcher-kva.example", (await SendAsync(t => t.SetRequestHeaderFromRoute("Host", "path"), "/b%C3%BCcher.example")).Host);
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream, route => route.ConfigureCluster("test", c => c with { Destinations = [c.Destinations[0] with { Host = "bücher.example" }] }));
        await app.Client.GetAsync("/");
        Assert.Equal("xn--bcher-kva.example", upstream.Last.Host);
    }

    [Theory]
    [InlineData("/a%20b")]
    [InlineData("/a%2Fb")]
    [InlineData("/a@b")]
    public async Task A_route_value_that_is_no_host_is_400(string target)
    {
        await using var app = await ProxyApp.StartAsync(new Recorder(), route => route.WithTransforms(t => t.SetRequestHeaderFromRoute("Host", "path")));

        Assert.Equal(400, (await app.GetRawAsync(target)).Response.StatusCode);
    }

    [Theory]
    [InlineData("PUT", "POST")]
    [InlineData("GET", "GET")]
    public async Task A_method_is_changed(string method, string expected) =>
        Assert.Equal(expected, (await SendAsync(t => t.ChangeMethod("PUT", "POST"), "/", c => c.Request.Method = method)).Method);

    [Fact]
    public async Task Headers_are_set_appended_and_removed_in_order()
    {
        var sent = await SendAsync(t => t.SetRequestHeader("X-Set", "new").AppendRequestHeader("X-Add", "2").RemoveRequestHeader("X-Gone").SetRequestHeader("X-Gone2", "1").RemoveRequestHeader("x-gone2"),
            "/", c =>
            {
                foreach (var name in new[] { "X-Set", "X-Add", "X-Gone" })
                    c.Request.Headers[name] = "1";
            });

        Assert.Equal("new", sent["X-Set"]);
        Assert.Equal("1 | 2", sent["X-Add"]);
        Assert.Null(sent["X-Gone"]);
        Assert.Null(sent["X-Gone2"]);
    }

    [Fact]
    public async Task Headers_that_are_not_copied_can_still_be_set()
    {
        var sent = await SendAsync(t => t.CopyRequestHeaders(false).SetRequestHeader("X-Own", "1"), "/", c => c.Request.Headers["X-A"] = "1");

        Assert.Null(sent["X-A"]);
        Assert.Equal("1", sent["X-Own"]);
        Assert.Equal("localhost", sent["X-Forwarded-Host"]);
    }

    [Fact]
    public async Task Only_allowed_headers_are_copied()
    {
        var sent = await SendAsync(t => t.AllowRequestHeaders("x-a"), "/", c => (c.Request.Headers["X-A"], c.Request.Headers["X-B"]) = ("1", "2"));

        Assert.Equal("1", sent["X-A"]);
        Assert.Null(sent["X-B"]);
    }

    [Fact]
    public async Task The_host_is_the_destinations_unless_told_otherwise()
    {
        Assert.Null((await SendAsync(_ => { }, "/")).Host); // the address's own
        Assert.Equal("localhost", (await SendAsync(t => t.UseOriginalHost(true), "/")).Host);
        Assert.Null((await SendAsync(t => t.UseOriginalHost(true).UseOriginalHost(false), "/")).Host);
        Assert.Equal("fixed.test", (await SendAsync(t => t.UseOriginalHost(true).SetRequestHeader("host", "fixed.test"), "/")).Host);
        Assert.Null((await SendAsync(t => t.UseOriginalHost(true).RemoveRequestHeader("Host"), "/")).Host);
    }

    [Fact]
    public async Task A_destinations_host_is_sent_to_it()
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream, route => route.ConfigureCluster("test", c => c with { Destinations = [c.Destinations[0] with { Host = "inner.test:81" }] }));

        await app.Client.GetAsync("/");

        Assert.Equal("inner.test:81", upstream.Last.Host);
    }

    [Fact]
    public async Task A_client_certificate_is_sent_in_base64_and_nobody_else_can_claim_one()
    {
        using var key = ECDsa.Create();
        using var certificate = new CertificateRequest("CN=client", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));

        var with = await SendAsync(t => t.SendClientCertificate("X-Cert"), "/", c => c.Connection.ClientCertificate = certificate);
        var without = await SendAsync(t => t.SendClientCertificate("X-Cert"), "/", c => c.Request.Headers["X-Cert"] = "spoofed");

        Assert.Equal(Convert.ToBase64String(certificate.RawData), with["X-Cert"]);
        Assert.Null(without["X-Cert"]);
    }

    private static async Task<Received> SendAsync(Action<TransformBuilder> transforms, string target, Action<HttpContext>? configure = null)
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream, route => route.WithTransforms(transforms));
        Assert.Equal(200, (await app.GetRawAsync(target, configure)).Response.StatusCode);
        return upstream.Last;
    }
}
