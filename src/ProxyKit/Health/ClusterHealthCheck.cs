using Microsoft.Extensions.Diagnostics.HealthChecks;
using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>Tells ASP.NET Core's health checks how clusters are: one of them, or all.</summary>
internal sealed class ClusterHealthCheck(ClusterDirectory clusters, string? clusterId) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var asked = clusterId is null ? clusters.All : clusters.Find(clusterId) is { } one ? [one] : [];
        if (clusterId is not null && asked.Count == 0)
            return Task.FromResult(new HealthCheckResult(context.Registration.FailureStatus, $"There is no cluster '{clusterId}'."));

        var worst = HealthStatus.Healthy;
        var data = new Dictionary<string, object>();
        var descriptions = new List<string>();
        foreach (var cluster in asked.OrderBy(c => c.ClusterId, StringComparer.OrdinalIgnoreCase))
        {
            var balancer = cluster.Balancer;
            var (healthy, all) = (balancer.Rotation.Healthy.Length, balancer.Rotation.Members.Length);
            var status = healthy == 0 || balancer.IsPanic ? context.Registration.FailureStatus
                : healthy < all ? HealthStatus.Degraded
                : HealthStatus.Healthy;
            if (status < worst)
                worst = status;
            descriptions.Add($"{cluster.ClusterId}: {healthy} of {all} destinations are available{(balancer.IsPanic ? ", panic" : "")}.");
            foreach (var destination in balancer.Model.Destinations)
                data[clusterId is null ? $"{cluster.ClusterId}/{destination.Name}" : destination.Name] = Describe(destination);
        }
        return Task.FromResult(new HealthCheckResult(worst, string.Join(' ', descriptions), data: data));
    }

    private static string Describe(Destination destination)
    {
        var text = destination.Health.ToString();
        if (destination.Health == DestinationHealth.Unhealthy && Reason(destination) is { } reason)
            text += $": {reason}";
        return destination.Mode == DestinationMode.Ready ? text : $"{text} ({destination.Mode})";
    }

    private static string? Reason(Destination destination) =>
        destination.ActiveHealth == DestinationHealth.Unhealthy ? destination.ProbeFailure
        : destination.EjectedUntil is { } until ? $"ejected until {until:u}"
        : "its circuit is open";
}
