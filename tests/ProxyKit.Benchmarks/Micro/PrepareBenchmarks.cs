using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Forwarding;
using ProxyKit.Transforms;

namespace ProxyKit.Benchmarks.Micro;

/// <summary>The first part of the forwarder alone: a browser's GET to a prepared request.</summary>
[MemoryDiagnoser]
public class PrepareBenchmarks
{
    private readonly DefaultHttpContext _context = new();
    private readonly PreparedRequest _prepared = new();
    private RequestPreparer _preparer = null!;

    [Params(false, true)]
    public bool WithTransforms { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        var request = _context.Request;
        request.Method = "GET";
        request.Protocol = "HTTP/1.1";
        request.Scheme = "https";
        request.Host = new("shop.example.com");
        request.Path = "/shop/items/4711";
        request.QueryString = new("?page=2&sort=price");
        _context.Features.Get<IHttpRequestFeature>()!.RawTarget = "/shop/items/4711?page=2&sort=price";
        foreach (var name in (string[])["User-Agent", "Accept", "Accept-Encoding", "Accept-Language", "Cookie", "Referer"])
            request.Headers[name] = "a value of some length, as browsers send it";

        var transforms = WithTransforms ? TransformBuilder.Build(t => t.RemovePathPrefix("/shop").SetQuery("page", "3").SetRequestHeader("X-Gateway", "shop")) : [];
        var route = new RouteConfig { RouteId = "r", ClusterId = "c", Transforms = transforms };
        _preparer = new(route, RouteTransforms.Compile(transforms), new(), new([]));
    }

    [Benchmark]
    public string Prepare()
    {
        _prepared.Clear();
        return _preparer.Prepare(_context, _prepared)?.Reason ?? _prepared.Path;
    }
}
