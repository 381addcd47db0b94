namespace ProxyKit;

/// <summary>What is known of the session that a request belongs to.</summary>
public enum AffinityStatus
{
    /// <summary>The cluster has no session affinity.</summary>
    None,

    /// <summary>The request belongs to no session yet: any destination will do.</summary>
    New,

    /// <summary>It belongs to <see cref="ProxyContext.AffineDestination"/>, which is asked first.</summary>
    Found,

    /// <summary>It belongs to <see cref="ProxyContext.AffineDestination"/>, which is down or in maintenance.</summary>
    Unavailable,

    /// <summary>Its key names no destination of the cluster: it is out of date, or made up.</summary>
    Unknown,
}
