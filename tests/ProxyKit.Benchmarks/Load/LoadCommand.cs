using System.Runtime.InteropServices;

namespace ProxyKit.Benchmarks.Load;

/// <summary><c>load</c>: ProxyKit beside its peers, on this machine, in one run.</summary>
internal static class LoadCommand
{
    public static async Task<int> RunAsync(string[] args)
    {
        if (args is ["--help" or "--list", ..])
        {
            Console.WriteLine(LoadOptions.Usage);
            return 0;
        }
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, StopGently);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, StopGently);
        try
        {
            await CompareAsync(LoadOptions.Parse(args), stop.Token);
            return 0;
        }
        catch (LoadException problem)
        {
            Console.Error.WriteLine(problem.Message);
            return 1;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return 130;
        }

        // The process stays until its children have been stopped and its files deleted.
        void StopGently(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
    }

    private static async Task CompareAsync(LoadOptions options, CancellationToken cancellation)
    {
        if (!OperatingSystem.IsLinux())
            throw new LoadException("The load comparison reads /proc and uses epoll: it runs on Linux.");
        using var workspace = await Workspace.CreateAsync(cancellation);
        using var backend = await BackendProcess.StartAsync(workspace, cancellation);
        foreach (var scenario in options.Scenarios)
        {
            if (scenario.Load.Http2 && !LoadGenerator.HasHttp2)
            {
                Console.WriteLine($"{scenario.Name} is left out because h2load is not installed: apt-get install nghttp2-client");
                continue;
            }
            ResultTable.Write(Console.Out, scenario, await new Comparison(workspace, backend, options).RunAsync(scenario, cancellation));
        }
    }
}
