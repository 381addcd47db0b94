using Microsoft.Extensions.Logging;

namespace ProxyKit;

/// <summary>The connections to destinations that speak FastCGI; see <see cref="FastCgiConnectionConfig"/>.</summary>
public sealed class FastCgiConnectionOptions
{
    /// <inheritdoc cref="FastCgiConnectionConfig.KeepConnections"/>
    public bool KeepConnections { get; set; }

    /// <inheritdoc cref="FastCgiConnectionConfig.MaxConnections"/>
    public int? MaxConnections { get; set; }

    /// <inheritdoc cref="FastCgiConnectionConfig.QueueLimit"/>
    public int QueueLimit { get; set; }

    /// <inheritdoc cref="FastCgiConnectionConfig.QueueTimeout"/>
    public TimeSpan QueueTimeout { get; set; }

    /// <inheritdoc cref="FastCgiConnectionConfig.IdleTimeout"/>
    public TimeSpan IdleTimeout { get; set; }

    /// <inheritdoc cref="FastCgiConnectionConfig.StandardError"/>
    public LogLevel StandardError { get; set; }

    /// <inheritdoc cref="FastCgiConnectionConfig.FailOnStandardError"/>
    public bool FailOnStandardError { get; set; }
}
