using System.Diagnostics.Metrics;
using ProxyKit.Diagnostics;

namespace ProxyKit.Compression;

/// <summary>The instruments of compression, on the meter <c>ProxyKit</c>.</summary>
internal sealed class CompressionMetrics
{
    private readonly Counter<long> _input;
    private readonly Counter<long> _output;
    private readonly Counter<long> _encoded;
    private readonly Counter<long> _decoded;

    public CompressionMetrics(IMeterFactory factory)
    {
        var meter = factory.Create(ProxyMetrics.MeterName);
        _input = meter.CreateCounter<long>("proxykit.compression.input", "By", "Content that was compressed.");
        _output = meter.CreateCounter<long>("proxykit.compression.output", "By", "What it was compressed to.");
        _encoded = meter.CreateCounter<long>("proxykit.decompression.input", "By", "What upstreams had compressed and was decompressed.");
        _decoded = meter.CreateCounter<long>("proxykit.decompression.output", "By", "What it was decompressed to.");
    }

    public void Compressed(string routeId, string coding, long input, long output) => Count(_input, _output, routeId, coding, input, output);

    public void Decompressed(string routeId, string coding, long input, long output) => Count(_encoded, _decoded, routeId, coding, input, output);

    private static void Count(Counter<long> inputs, Counter<long> outputs, string routeId, string coding, long input, long output)
    {
        if (inputs.Enabled)
            inputs.Add(input, new("proxykit.route", routeId), new("coding", coding));
        if (outputs.Enabled)
            outputs.Add(output, new("proxykit.route", routeId), new KeyValuePair<string, object?>("coding", coding));
    }
}
