namespace ProxyKit.LoadBalancing;

/// <summary>Is told at each request's beginning and end that a destination's <see cref="Destination.ActiveRequests"/> has changed, by many requests at once.</summary>
internal abstract class LoadObserver
{
    public abstract void Changed();
}
