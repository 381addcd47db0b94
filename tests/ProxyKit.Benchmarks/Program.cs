using BenchmarkDotNet.Running;
using ProxyKit.Benchmarks.Caching;
using ProxyKit.Benchmarks.Load;
using ProxyKit.Benchmarks.Scale;
using ProxyKit.Benchmarks.SlowClients;
using ProxyKit.Benchmarks.Targets;

return args switch
{
    ["load", .. var options] => await LoadCommand.RunAsync(options),
    ["slow-clients", .. var options] => await SlowClientsCommand.RunAsync(options),
    ["scale", .. var options] => await ScaleCommand.RunAsync(options),
    ["cache-memory", .. var options] => await CacheMemoryCommand.RunAsync(options),
    ["target", var name] => TargetHost.Run(name),
    _ => RunMicroBenchmarks(args),
};

static int RunMicroBenchmarks(string[] args)
{
    BenchmarkSwitcher.FromAssembly(typeof(LoadCommand).Assembly).Run(args);
    return 0;
}
