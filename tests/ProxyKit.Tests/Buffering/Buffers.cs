using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using ProxyKit.Buffering;

namespace ProxyKit.Tests.Buffering;

/// <summary>What buffering needs of an app: budgets, a folder of its own for files, and a log.</summary>
internal sealed class Buffers : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxykit-tests-");
    private readonly ServiceProvider _services;

    public Buffers(long maxMemory = 1024 * 1024, long maxDisk = 1024 * 1024 * 1024, string? directory = null)
    {
        var services = new ServiceCollection();
        services.AddLogging(logging => logging.AddFakeLogging());
        services.AddReverseProxy(o =>
        {
            o.Buffering.Directory = directory ?? Path.Combine(_folder.FullName, "files");
            o.Buffering.MaxMemory = maxMemory;
            o.Buffering.MaxDisk = maxDisk;
        });
        _services = services.BuildServiceProvider();
        Services = _services.GetRequiredService<BufferingServices>();
    }

    public BufferingServices Services { get; }

    public BufferBudget Budget => Services.Budget;

    public FakeLogCollector Logs => _services.GetFakeLogCollector();

    public SpillQueue Queue(int memoryThreshold = 64 * 1024, long maxSize = 1024 * 1024 * 1024, Func<TempFile>? createFile = null) =>
        new(new() { MemoryThreshold = memoryThreshold, MaxSize = maxSize }, Services, createFile ?? Services.Files.Create);

    /// <summary>Bytes that differ from place to place.</summary>
    public static byte[] Bytes(int length, int seed = 1)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public void Dispose()
    {
        _services.Dispose();
        _folder.Delete(recursive: true);
    }
}
