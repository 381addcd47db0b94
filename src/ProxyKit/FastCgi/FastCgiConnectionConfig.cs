using Microsoft.Extensions.Logging;

namespace ProxyKit;

/// <summary>The connections of a cluster to its FastCGI applications. What is asked of them is the route's: <see cref="FastCgiConfig"/>.</summary>
public sealed record FastCgiConnectionConfig
{
    /// <summary>
    /// Whether connections are kept for further requests (FCGI_KEEP_CONN). An idle kept connection occupies a php-fpm worker without limit, so it needs
    /// <see cref="MaxConnections"/>, below <c>pm.max_children</c> in sum over all proxies. Default: false. nginx: <c>fastcgi_keep_conn</c> and <c>keepalive</c>.
    /// </summary>
    public bool KeepConnections { get; init; }

    /// <summary>How many connections there may be to one destination, busy and idle, at least 1; further requests wait in order of arrival. Default: no limit. nginx: <c>max_conns</c>.</summary>
    public int? MaxConnections { get; init; }

    /// <summary>How many requests may wait for a connection to one destination; 0 to 1,000,000. More are 503. Default: 1000.</summary>
    public int QueueLimit { get; init; } = 1000;

    /// <summary>How long a request may wait for a connection; positive, at most 24 days, and not longer than <see cref="TimeoutConfig.FirstByte"/>, which includes it. Longer is 503. Default: 10 seconds.</summary>
    public TimeSpan QueueTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a kept connection may be idle; positive, at most 24 days, or <see cref="Timeout.InfiniteTimeSpan"/> for no limit. Default: 60 seconds. nginx: <c>keepalive_timeout</c>.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// The level at which each line that a script writes to its standard error is logged; <see cref="LogLevel.None"/> drops them. At most 64 KB of a request are kept.
    /// Default: <c>Warning</c>.
    /// </summary>
    public LogLevel StandardError { get; init; } = LogLevel.Warning;

    /// <summary>Whether a script that writes to its standard error before its answer has failed: 502, and another destination may be asked. Default: false. nginx: <c>fastcgi_catch_stderr</c>.</summary>
    public bool FailOnStandardError { get; init; }
}
