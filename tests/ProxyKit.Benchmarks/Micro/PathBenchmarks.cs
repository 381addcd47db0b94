using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.Benchmarks.Micro;

/// <summary>Which path is sent: raw where it says what routing saw.</summary>
[MemoryDiagnoser]
public class PathBenchmarks
{
    private HttpRequest _request = null!;

    [Params("/shop/cart/items", "/a%2Fb/%C3%A9", "/a/../b")]
    public string Raw { get; set; } = "";

    [GlobalSetup]
    public void SetUp()
    {
        _request = new DefaultHttpContext().Request;
        _request.Path = Raw switch
        {
            "/a%2Fb/%C3%A9" => "/a%2Fb/é",
            "/a/../b" => "/b",
            _ => Raw,
        };
    }

    [Benchmark]
    public string Select() => PathEncoding.Select(_request, Raw, PathForwarding.Raw);
}
