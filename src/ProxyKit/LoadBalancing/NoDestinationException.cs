namespace ProxyKit.LoadBalancing;

/// <summary>There is no destination that could be asked: none at all, or none below its limits.</summary>
internal sealed class NoDestinationException(ProxyError error) : Exception("The cluster has no available destination.")
{
    public ProxyError Error { get; } = error;
}
