using System.Diagnostics.Metrics;
using ProxyKit.Diagnostics;

namespace ProxyKit.SessionAffinity;

/// <summary>Counts how requests fare in clusters with session affinity.</summary>
internal sealed class AffinityMetrics(IMeterFactory factory)
{
    private readonly Counter<long> _requests = factory.Create(ProxyMetrics.MeterName)
        .CreateCounter<long>("proxykit.affinity.requests", "{request}", "Requests to clusters with session affinity, by result.");

    public void Answered(ProxyContext proxy, bool isCurrent)
    {
        if (_requests.Enabled)
            Add(proxy, isCurrent ? "hit" : proxy.AffinityStatus == AffinityStatus.New ? "new" : "redistributed");
    }

    public void Rejected(ProxyContext proxy)
    {
        if (_requests.Enabled)
            Add(proxy, "rejected");
    }

    private void Add(ProxyContext proxy, string result) => _requests.Add(1, new("proxykit.cluster", proxy.Cluster.ClusterId), new KeyValuePair<string, object?>("result", result));
}
