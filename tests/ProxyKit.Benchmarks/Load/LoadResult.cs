namespace ProxyKit.Benchmarks.Load;

/// <summary>What a load generator saw; latencies in microseconds.</summary>
internal sealed record LoadResult(long Requests, long Refused, long Errors, double Elapsed, double P50, double P99, long Bytes = 0)
{
    public long Failures => Refused + Errors;

    public double RequestsPerSecond => Requests / Elapsed;

    public double BytesPerRequest => Bytes / (double)Math.Max(1, Requests);
}
