using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;
using ProxyKit.Forwarding;

namespace ProxyKit.Discovery;

/// <summary>What operators are told of discovery.</summary>
internal sealed partial class DiscoveryLog(ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger(ProxyLog.Category);

    public void Changed(DiscoveryQuery query, ValueList<ResolvedDestination> before, ValueList<ResolvedDestination> now)
    {
        if (!_logger.IsEnabled(LogLevel.Information))
            return;
        var (old, @new) = (before.Select(d => d.Address).ToArray(), now.Select(d => d.Address).ToArray());
        DestinationsChanged(query.ClusterId, NameOf(query), now.Count, string.Join(", ", @new.Except(old).Select(a => $"+{a}").Concat(old.Except(@new).Select(a => $"-{a}"))));
    }

    public void Failed(DiscoveryQuery query, Exception exception, int known, TimeSpan next) =>
        ResolutionFailed(query.ClusterId, NameOf(query), query.Discovery.Source, RequestGuard.WithoutControls(exception.Message), known, Seconds(next));

    public void Held(DiscoveryQuery query, int known, TimeSpan rest) =>
        NothingFoundYetHeld(query.ClusterId, NameOf(query), query.Discovery.Source, known, rest == Timeout.InfiniteTimeSpan ? "until there are others" : $"for {Seconds(rest)} s more");

    public void Empty(DiscoveryQuery query) => NothingFound(query.ClusterId, NameOf(query), query.Discovery.Source);

    public void Invalid(DiscoveryQuery query, string address, string problem) => DestinationIgnored(query.ClusterId, NameOf(query), query.Discovery.Source, RequestGuard.WithoutControls(address), problem);

    public void NotApplied(DiscoveryQuery query, Exception exception) => ResolutionNotApplied(query.ClusterId, NameOf(query), exception);

    private static string NameOf(DiscoveryQuery query) => query.Destination.Name ?? query.Destination.Address;

    private static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 1);

    [LoggerMessage(100, LogLevel.Information, "Cluster {ClusterId}: {Destination} has {Count} destinations now: {Changes}", EventName = "DestinationsChanged")]
    private partial void DestinationsChanged(string clusterId, string destination, int count, string changes);

    [LoggerMessage(101, LogLevel.Warning, "Cluster {ClusterId}: {Destination} was not resolved by {Source}: {Cause} Its {Known} known destinations stay; next attempt in {Seconds} s", EventName = "ResolutionFailed")]
    private partial void ResolutionFailed(string clusterId, string destination, string source, string cause, int known, double seconds);

    [LoggerMessage(102, LogLevel.Warning, "Cluster {ClusterId}: {Destination} has no destination any more, says {Source}; the {Known} it had are kept {Rest}", EventName = "DestinationsHeld")]
    private partial void NothingFoundYetHeld(string clusterId, string destination, string source, int known, string rest);

    [LoggerMessage(103, LogLevel.Warning, "Cluster {ClusterId}: {Destination} has no destination, says {Source}", EventName = "NoDestinations")]
    private partial void NothingFound(string clusterId, string destination, string source);

    [LoggerMessage(104, LogLevel.Warning, "Cluster {ClusterId}: {Destination}: '{Address}', given by {Source}, is ignored: {Problem}", EventName = "DestinationIgnored")]
    private partial void DestinationIgnored(string clusterId, string destination, string source, string address, string problem);

    [LoggerMessage(105, LogLevel.Error, "Cluster {ClusterId}: what {Destination} was resolved to could not be put in force", EventName = "ResolutionNotApplied")]
    private partial void ResolutionNotApplied(string clusterId, string destination, Exception exception);
}
