using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Forwarding;
using ProxyKit.Transforms;

namespace ProxyKit.Benchmarks.Micro;

/// <summary>The first part of the forwarder: what it costs to make the request that is sent, before any socket.</summary>
[MemoryDiagnoser]
public class PreparingBenchmarks
{
    private readonly RequestPreparer _plain = Preparer([]);
    private readonly RequestPreparer _transformed = Preparer(TransformBuilder.Build(t => t.RemovePathPrefix("/shop").SetRequestHeader("X-Gateway", "a").SetQuery("v", "1")));
    private readonly PreparedRequest _prepared = new();
    private HttpContext _small = null!, _many = null!;

    [GlobalSetup]
    public void SetUp()
    {
        _small = Request(3);
        _many = Request(15);
    }

    [Benchmark(Baseline = true)]
    public int SmallGet() => Run(_plain, _small);

    [Benchmark]
    public int ManyHeaders() => Run(_plain, _many);

    [Benchmark]
    public int ThreeTransforms() => Run(_transformed, _small);

    private int Run(RequestPreparer preparer, HttpContext context)
    {
        preparer.Prepare(context, _prepared);
        var count = _prepared.Headers.Count;
        _prepared.Clear();
        return count;
    }

    private static RequestPreparer Preparer(ValueList<Transform> transforms) =>
        new(new RouteConfig { RouteId = "r" }, RouteTransforms.Compile(transforms), new ReverseProxyOptions(), new TrustedPeers([]));

    private static HttpContext Request(int headers)
    {
        var context = new DefaultHttpContext();
        context.Request.Method = "GET";
        context.Request.Protocol = "HTTP/1.1";
        context.Request.Scheme = "http";
        context.Request.Host = new("example.com");
        context.Request.Path = "/shop/cart";
        context.Features.Get<IHttpRequestFeature>()!.RawTarget = "/shop/cart";
        context.Connection.RemoteIpAddress = System.Net.IPAddress.Loopback;
        for (var i = 0; i < headers; i++)
            context.Request.Headers[$"X-Header-{i}"] = "a value of usual length";
        return context;
    }
}
