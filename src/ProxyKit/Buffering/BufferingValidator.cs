using System.Globalization;
using ProxyKit.Forwarding;

namespace ProxyKit.Buffering;

/// <summary>The part of validation that concerns buffering.</summary>
internal static class BufferingValidator
{
    private const int MaxThreshold = 1 << 30;
    private const int MinResponseThreshold = 4096;

    public static void Validate(string where, BufferingConfig? buffering, List<string> errors)
    {
        if (buffering is not { Request: var request, Response: var response })
            return;
        where += ": Buffering";
        if (request.MemoryThreshold is < 0 or > MaxThreshold)
            errors.Add($"{where}.Request.MemoryThreshold is {request.MemoryThreshold}; it must be 0 to {MaxThreshold} bytes.");
        if (request.IdleTimeout <= TimeSpan.Zero || request.IdleTimeout > TimeSpan.FromMilliseconds(int.MaxValue))
            errors.Add($"{where}.Request.IdleTimeout is {request.IdleTimeout}; it must be positive and at most 24 days.");
        if (!(request.MinDataRate >= 0) || double.IsInfinity(request.MinDataRate))
            errors.Add(string.Create(CultureInfo.InvariantCulture, $"{where}.Request.MinDataRate is {request.MinDataRate}; it must be at least 0 bytes per second, and 0 is no limit."));
        if (request.MinDataRateGracePeriod < TimeSpan.Zero)
            errors.Add($"{where}.Request.MinDataRateGracePeriod is {request.MinDataRateGracePeriod}; it must not be negative.");
        if (response.MemoryThreshold is < MinResponseThreshold or > MaxThreshold)
            errors.Add($"{where}.Response.MemoryThreshold is {response.MemoryThreshold}; it must be {MinResponseThreshold} to {MaxThreshold} bytes.");
        if (response.MaxSize < response.MemoryThreshold)
            errors.Add($"{where}.Response.MaxSize is {response.MaxSize}; it must be at least MemoryThreshold, which is {response.MemoryThreshold}.");
    }

    /// <summary>What concerns all routes; the folder for temporary files is looked at where one of them may need it.</summary>
    public static void Validate(IReadOnlyList<RouteConfig> routes, IReadOnlyList<ClusterConfig> clusters, BufferingLimits limits, TempFiles files, List<string> errors)
    {
        const string where = $"{nameof(ReverseProxyOptions)}.{nameof(ReverseProxyOptions.Buffering)}";
        if (limits.MaxMemory < 0)
            errors.Add($"{where}.{nameof(limits.MaxMemory)} is {limits.MaxMemory}; it must be at least 0 bytes.");
        if (limits.MaxDisk < 0)
            errors.Add($"{where}.{nameof(limits.MaxDisk)} is {limits.MaxDisk}; it must be at least 0 bytes.");
        if (limits.MaxClientShare is not (> 0 and <= 1))
            errors.Add(string.Create(CultureInfo.InvariantCulture, $"{where}.{nameof(limits.MaxClientShare)} is {limits.MaxClientShare}; it must be above 0 and at most 1, which is no limit."));
        if (!routes.Any(route => route.Buffering is { Request.Enabled: true } or { Response.Enabled: true }) && !clusters.Any(HttpHandlerFactory.IsFastCgi))
            return;
        try
        {
            files.Prepare();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            errors.Add($"{where}.{nameof(limits.Directory)}: '{limits.Directory ?? Path.GetTempPath()}' cannot hold the bodies that are buffered: {e.Message}");
        }
    }
}
