using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Transforms;

public class PathTransformTests
{
    [Theory]
    [InlineData("/shop", "/shop/a", "/a")]
    [InlineData("/shop/", "/shop/a", "/a")]
    [InlineData("/shop", "/SHOP/a", "/a")]
    [InlineData("/shop", "/shop", "/")]
    [InlineData("/shop", "/shop/", "/")]
    [InlineData("/shop", "/shopping/a", "/shopping/a")]
    [InlineData("/shop", "/other", "/other")]
    [InlineData("/shop", "/shop/a%2Fb", "/a%2Fb")]
    [InlineData("/shop", "/shop/%41%7e", "/%41%7e")]
    [InlineData("/shop", "/shop/a%252Fb/%27%28", "/a%252Fb/%27%28")]
    [InlineData("/shop", "/shop/%ff%fe", "/%ff%fe")]
    [InlineData("/shop", "/shop//x", "//x")]
    [InlineData("/shop", "/sh%6Fp/a%20b", "/a%20b")]
    [InlineData("/a b", "/a%20b/c%7E", "/c%7E")]
    public async Task A_removed_prefix_leaves_every_byte_of_the_rest(string prefix, string target, string expected) =>
        Assert.Equal(expected, await TargetAsync(t => t.RemovePathPrefix(prefix), target));

    [Theory]
    [InlineData("/api", "/a%2Fb?x=%zz", "/api/a%2Fb?x=%zz")]
    [InlineData("/api/", "/a", "/api/a")]
    [InlineData("/a b", "/%27", "/a%20b/%27")]
    [InlineData("/", "/a", "/a")]
    public async Task An_added_prefix_leaves_every_byte_of_the_path(string prefix, string target, string expected) =>
        Assert.Equal(expected, await TargetAsync(t => t.AddPathPrefix(prefix), target));

    [Fact]
    public async Task Path_transforms_act_in_the_order_in_which_they_stand()
    {
        Assert.Equal("/b/x", await TargetAsync(t => t.RemovePathPrefix("/a").AddPathPrefix("/b"), "/a/x"));
        Assert.Equal("/x", await TargetAsync(t => t.AddPathPrefix("/a").RemovePathPrefix("/a"), "/x"));
    }

    [Fact]
    public async Task A_set_path_keeps_the_query() => Assert.Equal("/fix%20ed?q=1", await TargetAsync(t => t.SetPath("/fix ed"), "/anything?q=1"));

    [Theory]
    [InlineData("/items/{id}/{**rest}", "/shop/7/a/b?q=1", "/items/7/a/b?q=1")]
    [InlineData("{**rest}", "/shop/7/a", "/a")]
    [InlineData("/items/{id}", "/shop/a%20b/x", "/items/a%20b")]
    [InlineData("/x/{**rest}", "/shop/7/a%2Fb", "/x/a%2Fb")]
    [InlineData("/items/{missing=none}/{id}", "/shop/7/a", "/items/none/7")]
    [InlineData("/items/{missing?}", "/shop/7/a", "/items")]
    [InlineData("/items/{id}/{missing?}", "/shop/7/a", "/items/7")]
    [InlineData("/{missing?}", "/shop/7/a", "/")]
    [InlineData("/items/{id}.{missing?}", "/shop/7/a", "/items/7")]
    [InlineData("/items/{id}/{**rest}", "/shop/7", "/items/7")]
    [InlineData("/items/{**missing}", "/shop/7/a", "/items")]
    [InlineData("/x/{id}/{**rest}", "/shop/%252F/%252Fb%2Fc", "/x/%252F/%252Fb%2Fc")]
    [InlineData("/x/{id}/{**rest}", "/shop/%ff/%fe%20/%C3%BC", "/x/%ff/%fe%20/%C3%BC")]
    [InlineData("/x/{id}/{**rest}", "/shop/%7ea'b/c|d", "/x/%7ea'b/c|d")]
    [InlineData("/x/{id}/{*rest}", "/shop/7/a/b", "/x/7/a%2Fb")]
    [InlineData("/größe/{id}", "/shop/7/a", "/gr%C3%B6%C3%9Fe/7")]
    public async Task A_pattern_takes_the_routes_values(string pattern, string target, string expected)
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                var destinations = new TestDestinations();
                destinations.Map(ProxyApp.Upstream, upstream.Handle);
                services.AddProxyTestDestinations(destinations);
            },
            app => app.MapProxy("/shop/{id}/{**rest}", ProxyApp.Upstream).WithTransforms(t => t.SetPathPattern(pattern)));

        await app.GetRawAsync(target);

        Assert.Equal(expected, upstream.Last.Target);
    }

    [Fact]
    public async Task A_pattern_whose_values_are_missing_is_502()
    {
        await using var app = await ProxyApp.StartAsync(new Recorder(), route => route.WithTransforms(t => t.SetPathPattern("/items/{id}")));

        Assert.Equal(HttpStatusCode.BadGateway, (await app.Client.GetAsync("/")).StatusCode);
        Assert.Equal(ProxyError.RequestCreation, (await app.OutcomeAsync()).Error);
    }

    [Theory]
    [InlineData("/bücher", "/b%C3%BCcher/%ff%2f", "/%ff%2f")]
    [InlineData("/bücher", "/B%c3%bccher/%7e", "/%7e")]
    [InlineData("/a b", "/a%20b/%ff", "/%ff")]
    [InlineData("/a b", "/a%20b", "/")]
    public async Task A_path_base_that_is_encoded_leaves_every_byte_of_the_rest(string pathBase, string target, string expected)
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                var destinations = new TestDestinations();
                destinations.Map(ProxyApp.Upstream, upstream.Handle);
                services.AddProxyTestDestinations(destinations);
            },
            app =>
            {
                app.UsePathBase(pathBase);
                app.UseRouting();
                app.MapProxy("/{**path}", ProxyApp.Upstream);
            });

        await app.GetRawAsync(target);

        Assert.Equal(expected, upstream.Last.Target);
    }

    [Fact]
    public async Task A_removed_prefix_that_is_encoded_leaves_every_byte_of_the_rest() =>
        Assert.Equal("/%ff%7e", await TargetAsync(t => t.RemovePathPrefix("/bücher"), "/b%c3%bccher/%ff%7e"));

    private static async Task<string> TargetAsync(Action<TransformBuilder> transforms, string target)
    {
        var upstream = new Recorder();
        await using var app = await ProxyApp.StartAsync(upstream, route => route.WithTransforms(transforms));
        await app.GetRawAsync(target);
        return upstream.Last.Target;
    }
}
