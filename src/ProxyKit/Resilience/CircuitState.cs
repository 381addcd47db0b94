namespace ProxyKit;

/// <summary>What a destination's circuit breaker does.</summary>
public enum CircuitState
{
    /// <summary>Requests pass, and are counted.</summary>
    Closed,

    /// <summary>Nothing passes: too much has failed.</summary>
    Open,

    /// <summary>A few requests pass, to find out.</summary>
    HalfOpen,
}
