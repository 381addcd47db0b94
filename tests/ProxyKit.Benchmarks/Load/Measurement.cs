namespace ProxyKit.Benchmarks.Load;

/// <summary>One run against one target.</summary>
/// <param name="Load">What the load generator saw.</param>
/// <param name="CpuSecondsPerRequest">CPU time of the target's process tree.</param>
/// <param name="ContextSwitchesPerRequest">How often a thread of it went to sleep.</param>
/// <param name="WorkItemsPerRequest">Of the thread pool. NaN for a target that is not .NET.</param>
/// <param name="AllocatedBytesPerRequest">NaN for a target that is not .NET.</param>
/// <param name="PeakMemoryBytes">The most resident memory of the target's process tree during the run.</param>
/// <param name="OtherCpuPercent">What programs outside the comparison used meanwhile, in percent of one core.</param>
internal sealed record Measurement(
    LoadResult Load, double CpuSecondsPerRequest, double ContextSwitchesPerRequest, double WorkItemsPerRequest, double AllocatedBytesPerRequest, long PeakMemoryBytes,
    double OtherCpuPercent);
