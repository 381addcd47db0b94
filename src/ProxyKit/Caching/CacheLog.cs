using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;

namespace ProxyKit.Caching;

/// <summary>The log messages of the cache; docs/observability.md lists them.</summary>
internal sealed partial class CacheLog(ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger(ProxyLog.Category);

    [LoggerMessage(160, LogLevel.Warning, "The cache store {Store} has failed; the response is not stored", EventName = "CacheStoreFailed")]
    public partial void StoreFailed(string store, Exception exception);

    [LoggerMessage(161, LogLevel.Warning, "A stored response could not be read from the cache store {Store}; it was removed", EventName = "CacheEntryDamaged")]
    public partial void Damaged(string store, Exception exception);

    [LoggerMessage(162, LogLevel.Debug, "The background validation of a stored response has failed", EventName = "CacheValidationFailed")]
    public partial void ValidationFailed(Exception? exception);
}
