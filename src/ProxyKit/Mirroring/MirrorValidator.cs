using System.Globalization;
using ProxyKit.Configuration;

namespace ProxyKit.Mirroring;

/// <summary>The part of validation that concerns mirrors.</summary>
internal static class MirrorValidator
{
    /// <param name="where">Names the route.</param>
    /// <param name="route">The route.</param>
    /// <param name="unknownCluster">What is wrong with a cluster's name; null if there is such a cluster.</param>
    /// <param name="errors">Where errors go.</param>
    public static void Validate(string where, RouteConfig route, Func<string, string?> unknownCluster, List<string> errors)
    {
        if (route.Mirror is not { } mirror)
            return;
        where += ": Mirror";
        if (mirror.ClusterId.Length == 0)
            errors.Add($"{where} names no cluster: ClusterId is required.");
        else if (unknownCluster(mirror.ClusterId) is { } unknown)
            errors.Add($"{where}: {unknown}");
        else if (mirror.ClusterId.Equals(route.ClusterId, StringComparison.OrdinalIgnoreCase))
            errors.Add($"{where}: '{mirror.ClusterId}' is the route's own cluster, which would get each request twice. Name another.");
        if (!(mirror.Percentage is >= 0 and <= 100))
            errors.Add(string.Create(CultureInfo.InvariantCulture, $"{where}: Percentage is {mirror.Percentage}; it must be 0 to 100."));
        if (mirror.MaxBodySize is < 0 or > 1 << 30)
            errors.Add($"{where}: MaxBodySize is {mirror.MaxBodySize}; it must be 0 to {1 << 30} bytes.");
        if (mirror.Timeout <= TimeSpan.Zero || mirror.Timeout > TimeSpan.FromMilliseconds(int.MaxValue))
            errors.Add($"{where}: Timeout is {mirror.Timeout}; it must be positive and at most 24 days.");
        if (mirror.MaxConcurrentRequests < 1)
            errors.Add($"{where}: MaxConcurrentRequests is {mirror.MaxConcurrentRequests}; it must be at least 1.");
        if (mirror.Header is { } header && !Tokens.IsToken(header))
            errors.Add($"{where}: Header '{header}' is not a header name.");
    }
}
