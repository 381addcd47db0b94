namespace ProxyKit;

/// <summary>
/// What an operator does while the proxy runs: look, take a destination out of rotation, put it back. Take it from dependency injection. What is set holds until it is
/// set otherwise, the destination leaves the configuration or the app ends. HAProxy: its runtime API, <c>set server</c>; nginx Plus: the API's <c>upstreams</c>.
/// </summary>
/// <remarks>
/// Clusters are named as configured, a route's own by the route's pattern, destinations by name or address, both without regard to case. A name that does not exist is an
/// <see cref="ArgumentException"/> that says what does. Each change is logged.
/// </remarks>
public interface IProxyControl
{
    /// <summary>The names of the clusters in force.</summary>
    IReadOnlyList<string> Clusters { get; }

    /// <summary>A cluster's destinations, with their state.</summary>
    /// <exception cref="ArgumentException">There is no such cluster.</exception>
    IReadOnlyList<Destination> GetDestinations(string clusterId);

    /// <summary>One destination, with its state.</summary>
    /// <exception cref="ArgumentException">There is no such cluster or destination.</exception>
    Destination GetDestination(string clusterId, string destination);

    /// <summary>Takes a destination out of rotation, or puts it back. Requests that it is answering are not touched.</summary>
    /// <exception cref="ArgumentException">There is no such cluster, destination or mode.</exception>
    Destination SetMode(string clusterId, string destination, DestinationMode mode);

    /// <summary>Gives a destination another weight than configured. HAProxy: <c>set server … weight</c>.</summary>
    /// <param name="clusterId">The cluster.</param>
    /// <param name="destination">Its name or address.</param>
    /// <param name="weight">0 to 1,000; 0 takes no new requests. Null for what is configured.</param>
    /// <exception cref="ArgumentException">There is no such cluster or destination, or the weight is out of range.</exception>
    Destination SetWeight(string clusterId, string destination, int? weight);

    /// <summary>Ends an ejection and closes the circuit breaker, without waiting for the time to be over, and forgets the failures that led there.</summary>
    /// <exception cref="ArgumentException">There is no such cluster or destination.</exception>
    Destination ResetHealth(string clusterId, string destination);

    /// <summary>
    /// Ends when the destination answers no request: after <see cref="SetMode"/> it can then be shut down. Upgraded connections are requests, and in
    /// <see cref="DestinationMode.Drain"/> those of sessions still come.
    /// </summary>
    /// <exception cref="OperationCanceledException">The token was cancelled first.</exception>
    Task WaitUntilIdleAsync(Destination destination, CancellationToken cancellationToken);
}
