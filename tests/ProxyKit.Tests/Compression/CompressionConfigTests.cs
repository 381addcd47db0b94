using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Compression;
using ProxyKit.Forwarding;

namespace ProxyKit.Tests.Compression;

public class CompressionConfigTests
{
    [Fact]
    public async Task Steps_and_JSON_say_the_same()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy().AddZstdCompression().LoadFromConfig(Misconfigured.Json(
                "{'Routes':{'json':{'ClusterId':'c','Match':{'Path':'/json'},'Compression':{'Codings':['zstd','gzip'],'Levels':{'gzip':1,'zstd':-3},'MimeTypes':['text/html','application/*'],'MinimumSize':7,"
                + "'EnableForHttps':true,'ServerSentEvents':true,'Decompress':true,'MaxDecompressedSize':5000,'MaxDecompressionRatio':60}},"
                + "'bare':{'ClusterId':'c','Match':{'Path':'/bare'},'Compression':{'Enabled':true}}},'Clusters':{'c':{'Destinations':{'d':{'Address':'http://c'}}}}}")),
            app =>
            {
                app.MapReverseProxy();
                app.MapProxy("/code", "http://a").WithCompression(c => (c.MinimumSize, c.EnableForHttps, c.ServerSentEvents, c.Decompress) = (7, true, true, true)).WithCompression(c =>
                {
                    c.Codings.Add("zstd");
                    c.Codings.Add("gzip");
                    (c.Levels["gzip"], c.Levels["zstd"]) = (1, -3);
                    c.MimeTypes.Clear();
                    c.MimeTypes.Add("text/html");
                    c.MimeTypes.Add("application/*");
                    (c.MaxDecompressedSize, c.MaxDecompressionRatio) = (5000, 60);
                });
                app.MapProxy("/default", "http://b").WithCompression();
                app.MapProxy("/off", "http://d").WithCompression(c => c.Enabled = false);
                app.MapProxy("/none", "http://e");
            });
        CompressionConfig? Of(string id) => app.Services.GetRequiredService<ProxyConfigMonitor>().Routes.Single(r => r.RouteId == id).Compression;

        Assert.NotNull(Of("json"));
        Assert.Equal(Of("json"), Of("/code"));
        Assert.Equal(new CompressionConfig(), Of("/default"));
        Assert.Equal(new CompressionConfig(), Of("bare"));
        Assert.False(Of("/off")!.Enabled);
        Assert.Null(Of("/none"));
    }

    [Fact]
    public async Task Switched_off_it_does_nothing()
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(CompressingApp.Text), c => c.Enabled = false);

        using var response = await app.GetAsync("br");

        Assert.Equal((null, null), (response.Encoding(), response.Field("Vary")));
    }

    [Fact]
    public async Task What_is_wrong_is_named_all_at_once()
    {
        var errors = await Misconfigured.ErrorsAsync(app => app.MapProxy("/r", "http://a").WithCompression(c =>
        {
            foreach (var coding in new[] { "zstd", "gzipp", "br", "BR" })
                c.Codings.Add(coding);
            (c.Levels["br"], c.Levels["gzip"], c.Levels["zstd"]) = (12, 0, 3);
            foreach (var type in new[] { "text", "*/json", "text/ht*", "a b/c" })
                c.MimeTypes.Add(type);
            (c.MinimumSize, c.MaxDecompressedSize, c.MaxDecompressionRatio) = (-1, 0, 0);
        }));

        Assert.Equal(
            [
                "Route '/r': Compression.Codings: 'BR' is there twice.",
                "Route '/r': Compression.Codings: 'gzipp' is not known. Did you mean 'gzip'? Your own are added with AddContentCoding.",
                "Route '/r': Compression.Codings: 'zstd' needs the package ProxyKit.Zstd and AddReverseProxy().AddZstdCompression().",
                "Route '/r': Compression.Levels: '0' is not a level of gzip; it must be 1 to 9.",
                "Route '/r': Compression.Levels: '12' is not a level of br; it must be 0 to 11.",
                "Route '/r': Compression.Levels: 'zstd' needs the package ProxyKit.Zstd and AddReverseProxy().AddZstdCompression().",
                "Route '/r': Compression.MaxDecompressedSize is 0; it must be at least 1 byte.",
                "Route '/r': Compression.MaxDecompressionRatio is 0; it must be at least 1.",
                "Route '/r': Compression.MimeTypes: '*/json' is not a media type. Allowed are text/css, text/*, application/*+json and */*.",
                "Route '/r': Compression.MimeTypes: 'a b/c' is not a media type. Allowed are text/css, text/*, application/*+json and */*.",
                "Route '/r': Compression.MimeTypes: 'text' is not a media type. Allowed are text/css, text/*, application/*+json and */*.",
                "Route '/r': Compression.MimeTypes: 'text/ht*' is not a media type. Allowed are text/css, text/*, application/*+json and */*.",
                "Route '/r': Compression.MinimumSize is -1; it must be at least 0 bytes.",
            ],
            errors.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_cache_can_ask_what_would_be_done()
    {
        await using var app = await CompressingApp.StartAsync(_ => CompressingApp.Answer(""));
        var stage = new ResponseCompression(new(), app.Services.GetRequiredService<ForwarderServices>());
        HttpRequest Request(string? acceptEncoding, string scheme = "http", string? cacheControl = null)
        {
            var request = new DefaultHttpContext { Request = { Scheme = scheme } }.Request;
            (request.Headers.AcceptEncoding, request.Headers.CacheControl) = (acceptEncoding, cacheControl);
            return request;
        }
        static IHeaderDictionary Fields(string type, long? length, string? coding = null)
        {
            IHeaderDictionary headers = new HeaderDictionary();
            (headers.ContentType, headers.ContentLength, headers.ContentEncoding) = (type, length, coding);
            return headers;
        }

        Assert.Equal("zstd", stage.Choose(Request("gzip, br, zstd")));
        Assert.Equal("gzip", stage.Choose(Request("gzip")));
        Assert.Null(stage.Choose(Request(null)));
        Assert.Null(stage.Choose(Request("gzip", "https")));
        Assert.Null(stage.Choose(Request("gzip", cacheControl: "no-transform")));
        Assert.True(stage.IsCompressible(200, Fields("text/html", 5000)));
        Assert.False(stage.IsCompressible(206, Fields("text/html", 5000)));
        Assert.False(stage.IsCompressible(200, Fields("image/png", 5000)));
        Assert.False(stage.IsCompressible(200, Fields("text/html", null, "gzip")));
    }
}
