using System.Diagnostics;
using ProxyKit.Benchmarks.Load;
using ProxyKit.Benchmarks.Php;

namespace ProxyKit.Benchmarks.SlowClients;

/// <summary>What was seen of php-fpm and of the proxy during a run.</summary>
/// <param name="BusySeconds">The sum, over php-fpm's workers, of the time in which they had a connection.</param>
/// <param name="AllBusyPercent">The share of the time in which no worker was free.</param>
/// <param name="MemoryBefore">Anonymous memory of the proxy's processes before the run, in bytes.</param>
/// <param name="MemoryPeak">The most of it that a sample saw.</param>
/// <param name="DiskPeak">The most that the proxy's temporary files took, in bytes.</param>
internal sealed record Samples(double BusySeconds, double AllBusyPercent, long MemoryBefore, long MemoryPeak, long DiskPeak);

/// <summary>Looks at php-fpm and the proxy five times a second, and once a second at the proxy's files.</summary>
internal sealed class Sampler : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly CancellationTokenSource _stop = new();
    private readonly Task<Samples> _sampling;

    public Sampler(PhpFpm php, ServerProcess target, string folder, int workers) => _sampling = SampleAsync(php, target.Id, folder, workers);

    public async Task<Samples> EndAsync()
    {
        await _stop.CancelAsync();
        return await _sampling;
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _stop.Dispose();
    }

    private async Task<Samples> SampleAsync(PhpFpm php, int process, string folder, int workers)
    {
        const int samplesPerDiskSample = 5;
        var samples = new Samples(0, 0, ProcessUsage.AnonymousMemoryBytes(process), 0, 0);
        var diskBefore = ProcessUsage.FileBytes(process, folder);
        double busy = 0, allBusy = 0, total = 0;
        using var timer = new PeriodicTimer(Interval);
        for (var (i, last) = (0, Stopwatch.GetTimestamp()); !_stop.IsCancellationRequested; i++)
        {
            var active = await php.ActiveWorkersAsync(CancellationToken.None) ?? workers; // it does not even say
            var seconds = Stopwatch.GetElapsedTime(last).TotalSeconds;
            last = Stopwatch.GetTimestamp();
            busy += active * seconds;
            allBusy += active >= workers ? seconds : 0;
            total += seconds;
            samples = samples with { MemoryPeak = Math.Max(samples.MemoryPeak, ProcessUsage.AnonymousMemoryBytes(process)) };
            if (i % samplesPerDiskSample == 0)
                samples = samples with { DiskPeak = Math.Max(samples.DiskPeak, ProcessUsage.FileBytes(process, folder) - diskBefore) };
            try
            {
                await timer.WaitForNextTickAsync(_stop.Token);
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }
        return samples with { BusySeconds = busy, AllBusyPercent = total == 0 ? 0 : allBusy / total * 100 };
    }
}
