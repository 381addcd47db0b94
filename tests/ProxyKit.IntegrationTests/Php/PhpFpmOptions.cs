namespace ProxyKit.IntegrationTests.Php;

/// <summary>How a <see cref="PhpFpm"/> is set up.</summary>
internal sealed class PhpFpmOptions
{
    /// <summary><c>pm.max_children</c>, of a static pool.</summary>
    public int Workers { get; set; } = 2;

    /// <summary>Whether it listens on a port of the loopback instead of a Unix socket.</summary>
    public bool IsTcp { get; set; }

    /// <summary><c>listen.backlog</c></summary>
    public int Backlog { get; set; } = 511;

    /// <summary><c>pm.max_requests</c>: after so many a worker is replaced; 0 is never.</summary>
    public int MaxRequests { get; set; }

    /// <summary><c>security.limit_extensions</c>; empty for none.</summary>
    public string LimitExtensions { get; set; } = ".php";

    /// <summary><c>request_terminate_timeout</c>; 0 is never.</summary>
    public TimeSpan TerminateTimeout { get; set; }

    /// <summary>Whether the pool's own workers answer for the status page, as they do in most installations.</summary>
    public bool StatusIsInPool { get; set; }

    /// <summary>Settings of php.ini.</summary>
    public Dictionary<string, string> Ini { get; } = [];
}
