using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Transforms;

/// <summary>Each of YARP's transform keys makes what the builder's method makes.</summary>
public class JsonTransformsTests
{
    public static TheoryData<string, Action<TransformBuilder>> Rows => new()
    {
        { "'PathPrefix':'/a'", t => t.AddPathPrefix("/a") },
        { "'PathRemovePrefix':'/a'", t => t.RemovePathPrefix("/a") },
        { "'PathSet':'/a'", t => t.SetPath("/a") },
        { "'PathPattern':'/a/{**rest}'", t => t.SetPathPattern("/a/{**rest}") },
        { "'QueryValueParameter':'q','Set':'1'", t => t.SetQuery("q", "1") },
        { "'QueryValueParameter':'q','Append':'1'", t => t.AppendQuery("q", "1") },
        { "'QueryRouteParameter':'q','Set':'id'", t => t.SetQueryFromRoute("q", "id") },
        { "'QueryRouteParameter':'q','Append':'id'", t => t.AppendQueryFromRoute("q", "id") },
        { "'QueryRemoveParameter':'q'", t => t.RemoveQuery("q") },
        { "'HttpMethodChange':'PUT','Set':'POST'", t => t.ChangeMethod("PUT", "POST") },
        { "'RequestHeadersCopy':false", t => t.CopyRequestHeaders(false) },
        { "'RequestHeaderOriginalHost':'true'", t => t.UseOriginalHost(true) },
        { "'RequestHeader':'X-A','Set':'1'", t => t.SetRequestHeader("X-A", "1") },
        { "'RequestHeader':'X-A','Append':'1'", t => t.AppendRequestHeader("X-A", "1") },
        { "'RequestHeader':'X-A','Set':''", t => t.SetRequestHeader("X-A", "") },
        { "'RequestHeaderRouteValue':'X-A','Set':'id'", t => t.SetRequestHeaderFromRoute("X-A", "id") },
        { "'RequestHeaderRouteValue':'X-A','Append':'id'", t => t.AppendRequestHeaderFromRoute("X-A", "id") },
        { "'RequestHeaderRemove':'X-A'", t => t.RemoveRequestHeader("X-A") },
        { "'RequestHeadersAllowed':'X-A; X-B'", t => t.AllowRequestHeaders("X-A", "X-B") },
        { "'X-Forwarded':'Remove'", t => t.UseXForwarded(ForwardedHeaderAction.Remove) },
        { "'Forwarded':'for,host,proto','ForFormat':'Ip'", t => t.UseForwarded() },
        { "'Forwarded':'by,for,host,proto','ForFormat':'IpAndPort','ByFormat':'Unknown','Action':'Append'", t => t.UseForwarded(ForwardedNodeFormat.IpAndPort, ForwardedNodeFormat.Unknown) },
        { "'ClientCert':'X-Cert'", t => t.SendClientCertificate("X-Cert") },
        { "'ResponseHeadersCopy':'false'", t => t.CopyResponseHeaders(false) },
        { "'ResponseHeader':'X-A','Set':'1','When':'Always'", t => t.SetResponseHeader("X-A", "1") },
        { "'ResponseHeader':'X-A','Append':'1'", t => t.AppendResponseHeader("X-A", "1", ResponseCondition.Success) },
        { "'ResponseHeader':'X-A','Append':'1','When':'Failure'", t => t.AppendResponseHeader("X-A", "1", ResponseCondition.Failure) },
        { "'ResponseHeaderRemove':'X-A'", t => t.RemoveResponseHeader("X-A", ResponseCondition.Success) },
        { "'ResponseHeaderRemove':'X-A','When':'Always'", t => t.RemoveResponseHeader("X-A") },
        { "'ResponseHeadersAllowed':'X-A'", t => t.AllowResponseHeaders("X-A") },
        { "'ResponseTrailersCopy':'false'", t => t.CopyResponseTrailers(false) },
        { "'ResponseTrailer':'X-A','Set':'1','When':'Always'", t => t.SetResponseTrailer("X-A", "1", ResponseCondition.Always) },
        { "'ResponseTrailer':'X-A','Append':'1'", t => t.AppendResponseTrailer("X-A", "1", ResponseCondition.Success) },
        { "'ResponseTrailerRemove':'X-A','When':'Always'", t => t.RemoveResponseTrailer("X-A", ResponseCondition.Always) },
        { "'ResponseTrailersAllowed':'X-A;X-B;'", t => t.AllowResponseTrailers("X-A", "X-B") },
        { "'LocationRewrite':'false'", t => t.RewriteLocation(false) },
        { "'CookieRewrite':'false'", t => t.RewriteCookies(false) },
    };

    [Theory(DisableDiscoveryEnumeration = true)]
    [MemberData(nameof(Rows))]
    public async Task A_key_makes_what_its_method_makes(string json, Action<TransformBuilder> code)
    {
        await using var app = await StartAsync(new(), json);

        Assert.Equal(TransformBuilder.Build(code), app.Services.GetRequiredService<ProxyConfigMonitor>().Routes[0].Transforms);
    }

    [Fact]
    public async Task They_act()
    {
        var upstream = new Recorder();
        await using var app = await StartAsync(upstream, "'PathRemovePrefix':'/shop'", "'QueryValueParameter':'q','Set':'1'", "'RequestHeader':'X-A','Set':'1'", "'ResponseHeader':'X-B','Set':'2'");

        var response = await app.Client.GetAsync("/shop/x");

        Assert.Equal("/x?q=1", upstream.Last.Target);
        Assert.Equal("1", upstream.Last["X-A"]);
        Assert.Equal("2", response.Headers.GetValues("X-B").Single());
    }

    internal static Task<ProxyApp> StartAsync(Recorder upstream, params string[] transforms) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy().LoadFromConfig(Misconfigured.Json(
                $"{{'Routes':{{'r':{{'ClusterId':'c','Match':{{'Path':'/{{**path}}'}},'Transforms':[{string.Join(',', transforms.Select(t => $"{{{t}}}"))}]}}}},'Clusters':{{'c':{{'Destinations':{{'d':{{'Address':'{ProxyApp.Upstream}'}}}}}}}}}}"));
            var destinations = new TestDestinations();
            destinations.Map(ProxyApp.Upstream, upstream.Handle);
            services.AddProxyTestDestinations(destinations);
        },
        app => app.MapReverseProxy());
}
