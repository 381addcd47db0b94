using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;

namespace ProxyKit.Buffering;

/// <summary>The log messages of buffering; docs/observability.md lists them.</summary>
internal sealed partial class BufferingLog(ILoggerFactory loggers)
{
    private readonly ILogger _logger = loggers.CreateLogger(ProxyLog.Category);

    [LoggerMessage(120, LogLevel.Information, "Removed {Count} temporary files from {Folder} that a process left when it crashed", EventName = "TempFilesCleared")]
    public partial void TempFilesCleared(int count, string folder);

    [LoggerMessage(121, LogLevel.Warning, "A temporary file of a process that crashed could not be removed from {Folder}", EventName = "TempFilesNotCleared")]
    public partial void TempFilesNotCleared(string folder, Exception exception);
}
