namespace ProxyKit;

/// <summary>One change to requests or responses on their way. Made with <see cref="TransformBuilder"/>; compared by value.</summary>
public abstract record Transform
{
    private protected Transform()
    {
    }
}

/// <summary>What becomes of a forwarding header.</summary>
public enum ForwardedHeaderAction
{
    /// <summary>What a trusted peer sent is kept and added to; without it, or from anybody else, it is set.</summary>
    Append,

    /// <summary>It is set, whatever the peer sent.</summary>
    Set,

    /// <summary>It is not sent.</summary>
    Remove,

    /// <summary>It is left as a trusted peer sent it; from anybody else it is dropped.</summary>
    Off,
}

/// <summary>On which responses a transform acts.</summary>
public enum ResponseCondition
{
    /// <summary>Status below 400.</summary>
    Success,

    /// <summary>Any response, the proxy's own errors included.</summary>
    Always,

    /// <summary>Status 400 and above, the proxy's own errors included.</summary>
    Failure,
}

/// <summary>How <c>Forwarded</c> (RFC 7239 §6) names a node.</summary>
public enum ForwardedNodeFormat
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>An obfuscated identifier, new for each request.</summary>
    Random,

    /// <summary>An obfuscated identifier and the port.</summary>
    RandomAndPort,

    /// <summary>An obfuscated identifier and an obfuscated port.</summary>
    RandomAndRandomPort,

    /// <summary><c>unknown</c></summary>
    Unknown,

    /// <summary><c>unknown</c> and the port.</summary>
    UnknownAndPort,

    /// <summary><c>unknown</c> and an obfuscated port.</summary>
    UnknownAndRandomPort,

    /// <summary>The IP address.</summary>
    Ip,

    /// <summary>The IP address and the port.</summary>
    IpAndPort,

    /// <summary>The IP address and an obfuscated port.</summary>
    IpAndRandomPort,
}
