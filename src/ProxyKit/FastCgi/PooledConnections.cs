namespace ProxyKit.FastCgi;

/// <summary>A pool's connections, as exchanges see them.</summary>
internal sealed class PooledConnections(FastCgiConnectionPool pool) : IFastCgiConnections
{
    public bool KeepsConnections => pool.KeepsConnections;

    public ValueTask<IFastCgiConnection> RentAsync(bool fresh, CancellationToken cancellationToken)
    {
        var renting = pool.RentAsync(fresh, cancellationToken);
        return renting.IsCompletedSuccessfully ? new(renting.Result) : WaitAsync(renting);
    }

    public void Dispose() => pool.Dispose();

    private static async ValueTask<IFastCgiConnection> WaitAsync(ValueTask<FastCgiConnection> renting) => await renting;
}
