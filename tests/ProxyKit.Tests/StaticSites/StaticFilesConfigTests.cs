using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.StaticSites;

/// <summary>Static files in code and JSON: the same records, and what is wrong with them.</summary>
public class StaticFilesConfigTests
{
    [Fact]
    public async Task Code_and_JSON_make_the_same_records()
    {
        using var folder = new StaticFolder().Add("app.html");
        var json = $$"""
            { "ReverseProxy": {
              "Routes": { "json": {
                "ClusterId": "app", "Match": { "Path": "/{**path}" },
                "StaticFiles": { "Root": "{{folder.Root}}", "IndexFiles": [ "index.html" ], "Fallback": "app.html", "NoFallbackPaths": [ "/rpc/" ], "MaxAge": "01:00:00", "ImmutableFiles": [ "*.woff2" ],
                                 "ImmutablePaths": [ "/assets/" ], "CacheControl": "max-age=5", "Precompressed": [ "gzip" ], "SymbolicLinks": "Follow", "DenyDotPaths": false,
                                 "DeniedFiles": [ "*.map" ], "AllowedFiles": [ "openapi.yaml" ], "ContentTypes": { ".yaml": "application/yaml" } } } },
              "Clusters": { "app": { "Destinations": { "one": { "Address": "{{ProxyApp.Upstream}}" } } } } } }
            """;
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy().LoadFromConfig(new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build().GetSection("ReverseProxy"));
                services.AddProxyTestDestinations(new());
            },
            app =>
            {
                app.MapReverseProxy();
                app.MapGroup("/code").MapProxy("/{**path}", ProxyApp.Upstream).WithStaticFiles(folder.Root, s =>
                {
                    s.IndexFiles.Add("index.html");
                    s.Fallback = "app.html";
                    s.NoFallbackPaths.Clear();
                    s.NoFallbackPaths.Add("/rpc/");
                    s.MaxAge = TimeSpan.FromHours(1);
                    s.ImmutableFiles.Add("*.woff2");
                    s.ImmutablePaths.Add("/assets/");
                    s.CacheControl = "max-age=5";
                    s.Precompressed.Clear();
                    s.Precompressed.Add("gzip");
                }).WithStaticFiles(s =>
                {
                    s.SymbolicLinks = SymbolicLinkPolicy.Follow;
                    s.DenyDotPaths = false;
                    s.DeniedFiles.Add("*.map");
                    s.AllowedFiles.Add("openapi.yaml");
                    s.ContentTypes[".yaml"] = "application/yaml";
                });
            });
        var routes = Routes(app);

        Assert.Equal(2, routes.Length);
        Assert.Equal(routes[0].StaticFiles, routes[1].StaticFiles);
        Assert.Equal("app.html", routes[0].StaticFiles!.Fallback);
    }

    [Fact]
    public async Task A_relative_root_starts_at_the_content_root_and_wwwroot_is_the_default()
    {
        var folder = "";
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(new());
            },
            app =>
            {
                folder = Path.Join(app.Environment.ContentRootPath, "wwwroot");
                Directory.CreateDirectory(folder);
                File.WriteAllText(Path.Join(folder, "static-files-test.css"), "from wwwroot");
                app.MapProxy("/{**path}", ProxyApp.Upstream).WithStaticFiles();
                app.MapGroup("/named").MapProxy("/{**path}", ProxyApp.Upstream).WithStaticFiles("wwwroot");
            });

        Assert.Equal("wwwroot", Routes(app)[0].StaticFiles!.Root);
        Assert.Equal("from wwwroot", (await SiteAnswer.GetAsync(app, "/static-files-test.css")).Body);
        Assert.Equal("from wwwroot", (await SiteAnswer.GetAsync(app, "/named/static-files-test.css")).Body);
    }

    [Fact]
    public async Task A_route_without_has_none()
    {
        await using var app = await ProxyApp.StartAsync(new Recorder());

        Assert.Null(Assert.Single(Routes(app)).StaticFiles);
    }

    [Fact]
    public async Task All_that_is_wrong_is_said_at_once()
    {
        using var folder = new StaticFolder().Add("../outside.html");
        var error = await Assert.ThrowsAsync<ProxyConfigurationException>(() => folder.StartAsync(s =>
        {
            s.IndexFiles.Add("a/b.html");
            s.Fallback = "missing.html";
            s.NoFallbackPaths.Add("api");
            s.MaxAge = TimeSpan.FromSeconds(-1);
            s.ImmutableFiles.Add("assets/*");
            s.ImmutablePaths.Add("/assets");
            s.CacheControl = "max-age=rubbish";
            s.Precompressed.Add("deflate");
            s.DeniedFiles.Add("a/b");
            s.AllowedFiles.Add("x.php");
            s.AllowedFiles.Add("*");
            s.ContentTypes["glb"] = "model/gltf-binary";
            s.ContentTypes[".x"] = "rubbish";
        }));

        foreach (var expected in (string[])[
            "IndexFiles: 'a/b.html'", "Fallback 'missing.html'", "NoFallbackPaths: 'api'", "MaxAge is -00:00:01", "ImmutableFiles: 'assets/*'", "ImmutablePaths: '/assets'", "CacheControl 'max-age=rubbish'",
            "Precompressed: 'deflate' is not known; it must be br, zstd or gzip", "DeniedFiles: 'a/b'", "AllowedFiles: 'x.php' is a script", "AllowedFiles: '*' would allow everything", "ContentTypes: 'glb'",
            "ContentTypes: 'rubbish' for .x"])
            Assert.Contains($"Route '/{{**path}}': StaticFiles: {expected}", error.Message);
    }

    [Theory]
    [InlineData("../outside.html")]
    [InlineData("/outside.html")]
    [InlineData("a/../../outside.html")]
    public async Task The_fallback_is_below_the_root(string fallback)
    {
        using var folder = new StaticFolder().Add("../outside.html").Add("a/x.html").Add("outside.html");
        var error = await Assert.ThrowsAsync<ProxyConfigurationException>(() => folder.StartAsync(s => s.Fallback = fallback));

        Assert.Contains($"Fallback '{fallback}' is not a file below the root", Assert.Single(error.Errors));
    }

    [Theory]
    [InlineData("/no/such/folder", "the folder '/no/such/folder' does not exist")]
    [InlineData("no-such-folder", "the folder 'no-such-folder' does not exist")]
    [InlineData("/", "is the whole machine")]
    [InlineData(".", "holds the program itself")]
    public async Task The_root_is_a_folder_of_files(string root, string expected)
    {
        var error = await Assert.ThrowsAsync<ProxyConfigurationException>(() => ProxyApp.StartAsync(
            new Recorder(), r => r.WithStaticFiles(root == "." ? AppContext.BaseDirectory : root)));

        Assert.Contains(expected, Assert.Single(error.Errors));
    }

    private static RouteConfig[] Routes(ProxyApp app) =>
        [.. app.Services.GetRequiredService<EndpointDataSource>().Endpoints.Select(e => e.Metadata.GetMetadata<RouteConfig>()).OfType<RouteConfig>()];
}
