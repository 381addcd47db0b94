using BenchmarkDotNet.Attributes;
using ProxyKit.Forwarding;

namespace ProxyKit.Benchmarks.Micro;

/// <summary>Keeping track of WebSocket frames, so that a close frame can be put between two of them.</summary>
[MemoryDiagnoser]
public class WebSocketBenchmarks
{
    private readonly byte[] _small = [0x82, 0xfe, 0, 126, 1, 2, 3, 4, .. new byte[126]];
    private readonly byte[] _large = [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0, .. new byte[65536]];
    private WebSocketFrames _frames;

    [Benchmark(Baseline = true)]
    public int OneSmallFrame() => _frames.Scan(_small, stopAtBoundary: false);

    [Benchmark]
    public int OneFrameOf64KB() => _frames.Scan(_large, stopAtBoundary: false);
}
