using Microsoft.Extensions.Logging;

namespace ProxyKit.FastCgi;

/// <summary>What the exchanges of a <see cref="FastCgiHandler"/> have in common.</summary>
internal sealed record FastCgiSettings(string Destination, IFastCgiConnections Connections, FastCgiConnectionConfig Config, TimeProvider Time, ILogger Logger)
{
    /// <summary>How long nothing may move; infinite where the proxy's own clock looks after it.</summary>
    public TimeSpan IdleTimeout { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>How much of a content of unknown length is taken into memory to learn its length.</summary>
    public long MaxBufferedContent { get; init; } = FastCgiHandler.DefaultMaxBufferedContent;
}
