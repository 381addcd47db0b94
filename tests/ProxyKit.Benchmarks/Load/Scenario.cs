using ProxyKit.Benchmarks.Caching;
using ProxyKit.Benchmarks.Php;

namespace ProxyKit.Benchmarks.Load;

/// <summary>What a load generator is asked to do: its arguments, and the path of the request.</summary>
internal sealed record LoadShape(string Arguments, string Path, bool Http2 = false);

/// <summary>One comparison.</summary>
internal sealed record Scenario(string Name, string Description, LoadShape Load)
{
    private static readonly LoadShape Small = new("-c 64", "/s/128");

    public static IReadOnlyList<Scenario> All { get; } =
    [
        new("get-small", "GET 128 B, 64 connections, closed loop", Small),
        new("headers", "GET 128 B with 12 request and 17 response headers, 64 connections, closed loop", new("-c 64 -B", "/h/128/11")),
        new("get-64k", "GET 64 KB, 64 connections, closed loop", new("-c 64", "/s/65536")),
        new("post-2k", "POST 2 KB, echoed, 64 connections, closed loop", new("-c 64 -b 2048", "/echo")),
        new("stream-1g", "two downloads of 1 GB on one connection", new("-c 1 -n 2 -d 120", "/s/1073741824"))
        {
            IsStream = true,
            WarmUp = Small,
        },
        new("upload-1g", "two uploads of 1 GB on one connection", new("-c 1 -n 2 -d 120 -b 1073741824", "/sink"))
        {
            IsStream = true,
            WarmUp = Small,
        },
        new("ws", "WebSocket echo of 128 B messages, 64 connections, one message in flight on each", new("-c 64 -W 128", "/ws")),
        new("h2", "GET 128 B, HTTP/2 over TLS from the client, 16 connections of 8 streams, closed loop", new("-c 16 -m 8", "/s/128", Http2: true)),
        new("latency", "GET 1 KB at a fixed 2,500 requests/s, latency from the intended start", new("-c 64 -r 2500", "/s/1024"))
        {
            WarmUp = new("-c 64", "/s/1024"),
        },
        new("php-hello", "GET a PHP page of 6 B through php-fpm on a Unix socket, 8 connections, closed loop", new($"-c {PhpTargets.KeptConnections}", PhpSite.Hello))
        {
            IsPhp = true,
        },
        Hit("hit-1k", "GET 1 KB from a cache, 64 connections, closed loop", CachedText.PlainPath, 1024),
        Hit("hit-64k", "GET 64 KB from a cache, 64 connections, closed loop", CachedText.PlainPath, 65536),
        Hit("hit-1k-gzip", "GET 1 KB from a cache, compressed with gzip, 64 connections, closed loop", CachedText.CompressedPath, 1024),
        Hit("hit-64k-gzip", "GET 64 KB from a cache, compressed with gzip, 64 connections, closed loop", CachedText.CompressedPath, 65536),
    ];

    public static IReadOnlyList<string> DefaultNames { get; } = ["get-small", "headers", "get-64k", "post-2k", "stream-1g"];

    /// <summary>A request moves a gigabyte: figures are per gigabyte, and a run lasts as long as its requests do.</summary>
    public bool IsStream { get; init; }

    /// <summary>Behind the targets is php-fpm, not the backend.</summary>
    public bool IsPhp { get; init; }

    /// <summary>The targets have the answer: the backend is asked once at most.</summary>
    public bool IsHit { get; init; }

    /// <summary>What to warm up with, where the scenario itself makes too few requests to settle the JIT.</summary>
    public LoadShape WarmUp { get; init; } = Load;

    private static Scenario Hit(string name, string description, string path, int length) =>
        new(name, description, new(path == CachedText.CompressedPath ? "-c 64 -z" : "-c 64", $"{path}{length}")) { IsHit = true };
}
