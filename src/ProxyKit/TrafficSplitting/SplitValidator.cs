using System.Globalization;
using ProxyKit.Configuration;

namespace ProxyKit.TrafficSplitting;

/// <summary>The part of validation that concerns splits.</summary>
internal static class SplitValidator
{
    /// <param name="where">Names the route.</param>
    /// <param name="route">The route.</param>
    /// <param name="unknownCluster">What is wrong with a cluster's name; null if there is such a cluster.</param>
    /// <param name="errors">Where errors go.</param>
    public static void Validate(string where, RouteConfig route, Func<string, string?> unknownCluster, List<string> errors)
    {
        if (route.Split is not { } split)
            return;
        if (split.Clusters.Count == 0)
            errors.Add($"{where}: Split names no cluster: Clusters lists those that take a share.");

        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var cluster in split.Clusters)
        {
            if (unknownCluster(cluster.ClusterId) is { } unknown)
                errors.Add($"{where}: Split: {unknown}");
            else if (!names.Add(cluster.ClusterId))
                errors.Add($"{where}: Split names the cluster '{cluster.ClusterId}' twice. Put its conditions together: one that matches is enough.");
            ValidateCluster($"{where}: Split: cluster '{cluster.ClusterId}'", cluster, route, errors);
        }
        var sum = split.Clusters.Sum(c => c.Percentage);
        if (Math.Round(sum, 2) > 100)
            errors.Add(string.Create(CultureInfo.InvariantCulture,
                $"{where}: the percentages of Split add up to {Math.Round(sum, 2)}; it must be 100 at most. What is left goes to the route's own cluster '{route.ClusterId}'."));
        if (split.Sticky is { } sticky)
            ValidateSticky($"{where}: Split.Sticky", sticky, errors);
    }

    private static void ValidateCluster(string where, SplitClusterConfig cluster, RouteConfig route, List<string> errors)
    {
        if (!(cluster.Percentage is >= 0 and <= 100) || Math.Abs(cluster.Percentage - Math.Round(cluster.Percentage, 2)) > 1e-9)
            errors.Add(string.Create(CultureInfo.InvariantCulture, $"{where}: Percentage is {cluster.Percentage}; it must be 0 to 100, with two decimals at most."));
        if (cluster.ClusterId.Equals(route.ClusterId, StringComparison.OrdinalIgnoreCase) && (cluster.Percentage != 0 || cluster.Headers.Count + cluster.Cookies.Count == 0))
            errors.Add($"{where} is the route's own, which takes what the others leave: it must have no Percentage here, only Headers or Cookies.");
        foreach (var header in cluster.Headers)
            ConfigValidator.ValidateHeader($"{where}: Headers", header, errors);
        foreach (var cookie in cluster.Cookies.Where(c => !Tokens.IsToken(c.Name)))
            errors.Add($"{where}: Cookies: '{cookie.Name}' is not a cookie name.");
    }

    private static void ValidateSticky(string where, SplitStickyConfig sticky, List<string> errors)
    {
        switch (sticky)
        {
            case { By: SplitStickyBy.ClientIp, Name: { } name }:
                errors.Add($"{where}: Name '{name}' has no meaning with By ClientIp.");
                break;
            case { By: SplitStickyBy.Header or SplitStickyBy.ExistingCookie, Name: null or "" }:
                errors.Add($"{where}: By {sticky.By} needs the Name of a {(sticky.By == SplitStickyBy.Header ? "header" : "cookie")}.");
                break;
            case { Name: { } name } when !Tokens.IsToken(name):
                errors.Add($"{where}: Name '{name}' is not a {(sticky.By == SplitStickyBy.Header ? "header" : "cookie")} name.");
                break;
        }
        if (sticky.By != SplitStickyBy.Cookie && (sticky.MaxAge is not null || sticky.Domain is not null))
            errors.Add($"{where}: MaxAge and Domain are those of a cookie that the proxy sets; with By {sticky.By} it sets none.");
        if (sticky.MaxAge <= TimeSpan.Zero)
            errors.Add($"{where}: MaxAge is {sticky.MaxAge}; it must be positive.");
        if (sticky.Domain is { } domain && Uri.CheckHostName(domain) != UriHostNameType.Dns)
            errors.Add($"{where}: Domain '{domain}' is not a domain name such as example.com.");
    }
}
