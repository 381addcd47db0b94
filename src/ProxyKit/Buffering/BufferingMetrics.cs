using System.Diagnostics.Metrics;
using ProxyKit.Diagnostics;

namespace ProxyKit.Buffering;

/// <summary>The instruments of buffering, on the meter <c>ProxyKit</c>.</summary>
internal sealed class BufferingMetrics
{
    private readonly Counter<long> _refused;

    public BufferingMetrics(IMeterFactory factory, BufferBudget budget)
    {
        var meter = factory.Create(ProxyMetrics.MeterName);
        meter.CreateObservableUpDownCounter("proxykit.buffering.memory", () => budget.MemoryInUse, "By", "Memory that buffered bodies take.");
        meter.CreateObservableUpDownCounter("proxykit.buffering.disk", () => budget.DiskInUse, "By", "Disk space that buffered bodies take.");
        _refused = meter.CreateCounter<long>("proxykit.buffering.refused", "{request}", "Requests whose bodies were not taken because the budget was spent.");
    }

    public void Refused(string routeId)
    {
        if (_refused.Enabled)
            _refused.Add(1, new KeyValuePair<string, object?>("proxykit.route", routeId));
    }
}
