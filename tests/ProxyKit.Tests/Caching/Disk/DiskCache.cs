using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using ProxyKit.Caching.Disk;

namespace ProxyKit.Tests.Caching.Disk;

/// <summary>A disk cache in a folder of its own, which can be closed and opened again.</summary>
internal sealed class DiskCache : IDisposable
{
    private readonly FakeLoggerProvider _logs = new();
    private readonly ILoggerFactory _loggers;

    public DiskCache(long limit)
    {
        _loggers = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(_logs));
        Limit = limit;
        Store = Create();
    }

    public string Parent { get; } = Directory.CreateTempSubdirectory("proxykit-test-").FullName;

    public string Folder => Path.Combine(Parent, "proxykit-cache");

    public string Entries => Path.Combine(Folder, "entries");

    public long Limit { get; set; }

    public FakeTimeProvider Time { get; } = new(Responses.Now);

    public DiskCacheStore Store { get; private set; }

    public IReadOnlyList<FakeLogRecord> Logs => _logs.Collector.GetSnapshot();

    /// <summary>The files with the heads; then bodies, temporary files.</summary>
    public string[] Files => Directory.Exists(Entries) ? [.. Directory.GetFiles(Entries, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)] : [];

    /// <summary>What the files really take.</summary>
    public long SizeOnDisk => Files.Sum(file => (new FileInfo(file).Length + 4095) / 4096 * 4096);

    public DiskCacheStore Create()
    {
        var options = new ReverseProxyOptions();
        (options.Cache.Directory, options.Cache.MaxDisk) = (Parent, Limit);
        return new(Options.Create(options), _loggers, Time);
    }

    /// <summary>As if the process had ended and started again.</summary>
    public void Restart(Action? between = null)
    {
        Store.Dispose();
        Store.Clearing.Wait(); // a process that has ended clears nothing up any more
        between?.Invoke();
        Store = Create();
        Store.Prepare();
    }

    public void Dispose()
    {
        Store.Dispose();
        Store.Clearing.Wait();
        _loggers.Dispose();
        _logs.Dispose();
        Directory.Delete(Parent, recursive: true);
    }
}
