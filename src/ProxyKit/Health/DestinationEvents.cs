using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;

namespace ProxyKit.Health;

/// <summary>What befalls destinations at run time, in the log and on the meter. Event ids are stable; docs/observability.md lists them.</summary>
internal sealed partial class DestinationEvents
{
    private readonly ILogger _logger;
    private readonly Counter<long> _ejections;
    private readonly Counter<long> _transitions;

    public DestinationEvents(ILoggerFactory loggers, IMeterFactory meters)
    {
        _logger = loggers.CreateLogger(ProxyLog.Category);
        var meter = meters.Create(ProxyMetrics.MeterName);
        _ejections = meter.CreateCounter<long>("proxykit.destination.ejections", "{ejection}", "Destinations ejected by passive health checks, by reason.");
        _transitions = meter.CreateCounter<long>("proxykit.circuit.transitions", "{transition}", "Changes of circuit breakers, by the state that they lead to.");
    }

    public void Ejected(Destination destination, TimeSpan period, EjectionReason reason, string description, int ejected, int all)
    {
        DestinationEjected(destination.ClusterId, destination.Name, period, description, ejected, all);
        if (_ejections.Enabled)
            _ejections.Add(1, Cluster(destination), Name(destination), new("reason", reason switch
            {
                EjectionReason.ConsecutiveFailures => "consecutive_failures",
                EjectionReason.FailureRate => "failure_rate",
                _ => "success_rate",
            }));
    }

    public void NotEjected(Destination destination, string description, int ejected, int all, int maxEjectedPercent) =>
        DestinationNotEjected(destination.ClusterId, destination.Name, description, ejected, all, maxEjectedPercent);

    /// <summary>In whole seconds where there are any: more digits are the timer's noise.</summary>
    public void Returned(Destination destination, TimeSpan after) =>
        DestinationReturned(destination.ClusterId, destination.Name, after.TotalSeconds < 1 ? after : TimeSpan.FromSeconds(Math.Round(after.TotalSeconds)));

    public void CircuitOpened(Destination destination, TimeSpan period, string description)
    {
        CircuitOpened(destination.ClusterId, destination.Name, period, description);
        Count(destination, "open");
    }

    public void CircuitHalfOpened(Destination destination, int probes)
    {
        CircuitHalfOpened(destination.ClusterId, destination.Name, probes);
        Count(destination, "half_open");
    }

    public void CircuitClosed(Destination destination, string description)
    {
        CircuitClosed(destination.ClusterId, destination.Name, description);
        Count(destination, "closed");
    }

    public void ModeChanged(Destination destination, DestinationMode before) =>
        ModeChanged(destination.ClusterId, destination.Name, before, destination.Mode, destination.ActiveRequests);

    public void WeightChanged(Destination destination, int before) => WeightChanged(destination.ClusterId, destination.Name, before, destination.Weight);

    public void HealthReset(Destination destination) => HealthReset(destination.ClusterId, destination.Name);

    private void Count(Destination destination, string state)
    {
        if (_transitions.Enabled)
            _transitions.Add(1, Cluster(destination), Name(destination), new("state", state));
    }

    private static KeyValuePair<string, object?> Cluster(Destination destination) => new("proxykit.cluster", destination.ClusterId);

    private static KeyValuePair<string, object?> Name(Destination destination) => new("proxykit.destination", destination.Name);

    [LoggerMessage(60, LogLevel.Warning, "Cluster {ClusterId}: destination {Destination} is ejected for {Period}: {Reason}; now {Ejected} of {Destinations} destinations are", EventName = "DestinationEjected")]
    private partial void DestinationEjected(string clusterId, string destination, TimeSpan period, string reason, int ejected, int destinations);

    [LoggerMessage(61, LogLevel.Warning, "Cluster {ClusterId}: destination {Destination} is not ejected in spite of {Reason}: {Ejected} of {Destinations} destinations are already, and MaxEjectedPercent is {MaxEjectedPercent}", EventName = "DestinationNotEjected")]
    private partial void DestinationNotEjected(string clusterId, string destination, string reason, int ejected, int destinations, int maxEjectedPercent);

    [LoggerMessage(62, LogLevel.Information, "Cluster {ClusterId}: destination {Destination} is back after {Period}", EventName = "DestinationReturned")]
    private partial void DestinationReturned(string clusterId, string destination, TimeSpan period);

    [LoggerMessage(63, LogLevel.Warning, "Cluster {ClusterId}: the circuit of destination {Destination} is open for {Period}: {Reason}", EventName = "CircuitOpened")]
    private partial void CircuitOpened(string clusterId, string destination, TimeSpan period, string reason);

    [LoggerMessage(64, LogLevel.Information, "Cluster {ClusterId}: the circuit of destination {Destination} is half open: {Probes} at a time try it", EventName = "CircuitHalfOpened")]
    private partial void CircuitHalfOpened(string clusterId, string destination, int probes);

    [LoggerMessage(65, LogLevel.Information, "Cluster {ClusterId}: the circuit of destination {Destination} is closed: {Reason}", EventName = "CircuitClosed")]
    private partial void CircuitClosed(string clusterId, string destination, string reason);

    [LoggerMessage(66, LogLevel.Information, "Cluster {ClusterId}: destination {Destination} was set from {Before} to {Mode}, with {ActiveRequests} requests under way", EventName = "DestinationModeChanged")]
    private partial void ModeChanged(string clusterId, string destination, DestinationMode before, DestinationMode mode, int activeRequests);

    [LoggerMessage(67, LogLevel.Information, "Cluster {ClusterId}: the weight of destination {Destination} was set from {Before} to {Weight}", EventName = "DestinationWeightChanged")]
    private partial void WeightChanged(string clusterId, string destination, int before, int weight);

    [LoggerMessage(68, LogLevel.Information, "Cluster {ClusterId}: the health of destination {Destination} was reset by hand", EventName = "DestinationHealthReset")]
    private partial void HealthReset(string clusterId, string destination);
}
