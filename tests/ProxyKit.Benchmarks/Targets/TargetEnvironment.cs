namespace ProxyKit.Benchmarks.Targets;

/// <summary>The environment variables by which the load comparison tells a target where to listen and what to forward to.</summary>
internal static class TargetEnvironment
{
    public const string Port = "BENCH_PORT";
    public const string TlsPort = "BENCH_TLS_PORT";
    public const string StatsPort = "BENCH_STATS_PORT";
    public const string Backend = "BENCH_BACKEND";
    public const string Root = "BENCH_ROOT";
    public const string Certificate = "BENCH_CERTIFICATE";
    public const string InlineScheduling = "BENCH_INLINE_SCHEDULING";

    public static string Read(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value
            : throw new InvalidOperationException($"A target needs the environment variable {name}; `load` sets it.");

    public static int ReadPort(string name) => int.Parse(Read(name));
}
