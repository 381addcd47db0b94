using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Configuration;

namespace ProxyKit.Tests.StaticSites;

/// <summary>MapPhp and Site in code and JSON: the same records, and what is wrong with them.</summary>
public class SiteConfigTests
{
    [Fact]
    public async Task Code_and_JSON_make_the_same_records()
    {
        using var site = new PhpSite().Add("index.php");
        var json = $$"""
            { "ReverseProxy": {
              "Routes": { "json": {
                "ClusterId": "php", "Match": { "Path": "/{**path}" }, "FastCgi": { "Root": "{{site.Root}}" },
                "Site": { "FrontController": "app.php", "IndexFiles": [ "app.php" ], "NoScriptPaths": [ "/media/" ], "AssetMaxAge": "01:00:00", "LocalRoot": "{{site.Root}}",
                          "DeniedFiles": [ "*.map" ], "AllowedFiles": [ "openapi.yaml" ], "ContentTypes": { ".yaml": "application/yaml" } } } },
              "Clusters": { "php": { "Destinations": { "one": { "Address": "{{PhpSite.Fpm}}" } } } } } }
            """;
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().LoadFromConfig(new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build().GetSection("ReverseProxy"));
                services.AddProxyTestDestinations(site.Destinations());
            },
            app =>
            {
                app.MapReverseProxy();
                app.MapGroup("/code").MapPhp(site.Root, PhpSite.Fpm).WithSite(s =>
                {
                    s.FrontController = "app.php";
                    s.IndexFiles.Clear();
                    s.IndexFiles.Add("app.php");
                    s.NoScriptPaths.Clear();
                    s.NoScriptPaths.Add("/media/");
                    s.AssetMaxAge = TimeSpan.FromHours(1);
                    s.LocalRoot = site.Root;
                    s.DeniedFiles.Add("*.map");
                }).WithSite(s =>
                {
                    s.AllowedFiles.Add("openapi.yaml");
                    s.ContentTypes[".yaml"] = "application/yaml";
                });
            });
        var routes = app.Services.GetRequiredService<EndpointDataSource>().Endpoints.Select(e => e.Metadata.GetMetadata<RouteConfig>()).OfType<RouteConfig>().ToArray();

        Assert.Equal(2, routes.Length);
        Assert.Equal(routes[0].Site, routes[1].Site);
        Assert.Equal(routes[0].FastCgi, routes[1].FastCgi);
        Assert.Equal("app.php", routes[0].Site!.FrontController);
    }

    [Fact]
    public async Task A_site_in_JSON_works_and_Enabled_is_enough()
    {
        using var site = new PhpSite().Add("index.php", "style.css");
        await using var app = await StartJsonAsync(site, $$"""{ "Enabled": true }""");

        Assert.True((await SiteAnswer.GetAsync(app, "/style.css")).IsFile);
        Assert.Equal("PHP /index.php|", (await SiteAnswer.GetAsync(app, "/hello")).Body);
    }

    [Fact]
    public async Task A_site_can_be_switched_off()
    {
        using var site = new PhpSite().Add("index.php", "style.css");
        await using var app = await StartJsonAsync(site, $$"""{ "Enabled": false }""");

        Assert.False((await SiteAnswer.GetAsync(app, "/style.css")).IsFile);
    }

    [Fact]
    public async Task A_relative_root_starts_at_the_content_root()
    {
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(new());
            },
            app =>
            {
                Directory.CreateDirectory(Path.Join(app.Environment.ContentRootPath, "php-site"));
                app.MapPhp("php-site", PhpSite.Fpm);
            });
        var route = app.Services.GetRequiredService<EndpointDataSource>().Endpoints.Select(e => e.Metadata.GetMetadata<RouteConfig>()).OfType<RouteConfig>().Single();

        Assert.True(Path.IsPathFullyQualified(route.FastCgi!.Root!));
        Assert.True(Directory.Exists(route.FastCgi.Root));
    }

    [Fact]
    public async Task Several_destinations_and_named_clusters_are_taken()
    {
        using var site = new PhpSite().Add("index.php");
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().AddCluster("php", c => c.To(PhpSite.Fpm));
                services.AddProxyTestDestinations(site.Destinations());
            },
            app =>
            {
                app.MapPhp(site.Root, "php");
                app.MapGroup("/two").MapPhp(site.Root, "fastcgi://one.test:9000", "fastcgi://two.test:9000");
            });

        Assert.Equal("PHP /index.php|", (await SiteAnswer.GetAsync(app, "/")).Body);
    }

    [Fact]
    public async Task All_that_is_wrong_is_said_at_once()
    {
        using var site = new PhpSite().Add("index.php");
        var error = await Assert.ThrowsAsync<ProxyConfigurationException>(() => site.StartAsync(route => route.WithSite(s =>
        {
            s.FrontController = "/etc/x.php";
            s.IndexFiles.Add("a/b.php");
            s.NoScriptPaths.Add("uploads");
            s.NoScriptPaths.Add("/");
            s.AssetMaxAge = TimeSpan.FromSeconds(-1);
            s.DeniedFiles.Add("a/b");
            s.AllowedFiles.Add("wp-config.php");
            s.AllowedFiles.Add("*");
            s.AllowedFiles.Add("a/b.css");
            s.ContentTypes["glb"] = "model/gltf-binary";
            s.ContentTypes[".x"] = "rubbish";
        })));

        foreach (var expected in (string[])[
            "FrontController '/etc/x.php'", "IndexFiles: 'a/b.php'", "NoScriptPaths: 'uploads'", "NoScriptPaths: '/'", "AssetMaxAge is -00:00:01", "DeniedFiles: 'a/b'",
            "AllowedFiles: 'wp-config.php' is a script", "AllowedFiles: '*' would allow everything", "AllowedFiles: 'a/b.css'", "ContentTypes: 'glb'", "ContentTypes: 'rubbish' for .x"])
            Assert.Contains(expected, error.Message);
        Assert.Contains("Route '/{**path}': Site", error.Message);
    }

    [Theory]
    [InlineData("/no/such/folder", PhpSite.Fpm, "there is no folder '/no/such/folder'")]
    [InlineData("", PhpSite.Fpm, "needs FastCgi.Root")]
    [InlineData(null, "http://app.test", "speaks HTTP")]
    public async Task The_root_must_be_there_and_the_application_FastCgi(string? root, string address, string expected)
    {
        using var site = new PhpSite();
        var error = await Assert.ThrowsAsync<ProxyConfigurationException>(() => ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(new());
            },
            app => app.MapPhp(site.Root, address).ConfigureRoute(r => r with { FastCgi = r.FastCgi! with { Root = root ?? r.FastCgi.Root } })));

        Assert.Contains(expected, error.Message);
    }

    [Fact]
    public async Task What_would_have_no_effect_is_refused()
    {
        using var site = new PhpSite();
        foreach (var (step, expected) in new (Action<ProxyRouteBuilder>, string)[]
        {
            (r => r.WithTransforms(t => t.RemovePathPrefix("/blog")), "transforms of the path do not go with it"),
            (r => r.WithTransforms(t => t.SetPath("/index.php")), "transforms of the path do not go with it"),
            (r => r.WithSite(s => s.FrontController = "index.html"), "FrontController 'index.html' is not a script: FastCgi.Extensions are .php"),
        })
        {
            var error = await Assert.ThrowsAsync<ProxyConfigurationException>(() => site.StartAsync(step));
            Assert.Contains($"Site: {expected}", Assert.Single(error.Errors), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Another_place_for_php_and_resolved_links_exclude_each_other()
    {
        using var site = new PhpSite();
        var error = await Assert.ThrowsAsync<ProxyConfigurationException>(() => site.StartAsync(route => route
            .ConfigureRoute(r => r with { FastCgi = r.FastCgi! with { ResolveRoot = true } }).WithSite(s => s.LocalRoot = site.Root)));

        Assert.Contains("LocalRoot and FastCgi.ResolveRoot exclude each other", error.Message);
    }

    private static Task<ProxyApp> StartJsonAsync(PhpSite site, string json) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy().LoadFromConfig(new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes($$"""
                { "ReverseProxy": {
                  "Routes": { "site": { "ClusterId": "php", "Match": { "Path": "/{**path}" }, "FastCgi": { "Root": "{{site.Root}}" }, "Site": {{json}} } },
                  "Clusters": { "php": { "Destinations": { "one": { "Address": "{{PhpSite.Fpm}}" } } } } } }
                """))).Build().GetSection("ReverseProxy"));
            services.AddProxyTestDestinations(site.Destinations());
        },
        app => app.MapReverseProxy());
}
