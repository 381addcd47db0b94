using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;

namespace ProxyKit.Caching.Disk;

/// <summary>The log messages of the disk cache; docs/observability.md lists them. What a broken disk could say for each request is said once a minute, with how often it happened.</summary>
internal sealed partial class DiskLog(ILoggerFactory loggers, TimeProvider time)
{
    private readonly ILogger _logger = loggers.CreateLogger(ProxyLog.Category);
    private readonly Throttle _damaged = new(time), _writing = new(time), _reading = new(time);

    /// <summary>A response was damaged and has been removed.</summary>
    public void Damaged(string file, Exception? exception)
    {
        if (_damaged.IsDue(out var count))
            DiskCacheDamaged(file, count, exception);
    }

    public void WriteFailed(Exception exception)
    {
        if (_writing.IsDue(out var count))
            DiskCacheWriteFailed(count, exception);
    }

    public void ReadFailed(Exception exception)
    {
        if (_reading.IsDue(out var count))
            DiskCacheReadFailed(count, exception);
    }

    [LoggerMessage(145, LogLevel.Information, "The disk cache in {Folder} has {Responses} responses of {Bytes} bytes", EventName = "DiskCacheRead")]
    public partial void DiskCacheRead(string folder, int responses, long bytes);

    [LoggerMessage(146, LogLevel.Warning, "{File} of the disk cache was damaged, and has been removed; so were {Count} since this was said last", EventName = "DiskCacheDamaged")]
    private partial void DiskCacheDamaged(string file, int count, Exception? exception);

    [LoggerMessage(147, LogLevel.Warning, "The disk cache could not be written to; nor could it {Count} times since this was said last. The responses are not stored", EventName = "DiskCacheWriteFailed")]
    private partial void DiskCacheWriteFailed(int count, Exception exception);

    [LoggerMessage(148, LogLevel.Warning, "The disk cache could not be read; nor could it {Count} times since this was said last. The upstream is asked", EventName = "DiskCacheReadFailed")]
    private partial void DiskCacheReadFailed(int count, Exception exception);

    private sealed class Throttle(TimeProvider time)
    {
        private readonly Lock _lock = new();
        private long _last;
        private bool _hasBeenSaid;
        private int _count;

        public bool IsDue(out int count)
        {
            lock (_lock)
            {
                count = _count;
                if (_hasBeenSaid && time.GetElapsedTime(_last) < TimeSpan.FromMinutes(1))
                {
                    _count++;
                    return false;
                }
                (_hasBeenSaid, _last, _count) = (true, time.GetTimestamp(), 0);
                return true;
            }
        }
    }
}
