namespace ProxyKit.Buffering;

/// <summary>What the buffering of requests and responses share.</summary>
internal sealed class BufferingServices(BufferBudget budget, TempFiles files, BufferingMetrics metrics, BufferingLog log)
{
    public BufferBudget Budget { get; } = budget;

    public TempFiles Files { get; } = files;

    public BufferingMetrics Metrics { get; } = metrics;

    public BufferingLog Log { get; } = log;
}
