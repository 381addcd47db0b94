using ProxyKit.Benchmarks.Php;

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
        return await Command.RunAsync(stop => CompareAsync(LoadOptions.Parse(args), stop));
    }

    private static async Task CompareAsync(LoadOptions options, CancellationToken cancellation)
    {
        using var workspace = await Workspace.CreateAsync(cancellation);
        using var backend = await BackendProcess.StartAsync(workspace, cancellation);
        foreach (var scenario in options.Scenarios)
        {
            if (scenario.Load.Http2 && !LoadGenerator.HasHttp2)
            {
                Console.WriteLine($"{scenario.Name} is left out because h2load is not installed: apt-get install nghttp2-client");
                continue;
            }
            // Kept connections occupy workers while they idle: those of each of nginx's processes, and ours. Beyond them a worker for each client, so nobody waits for one.
            using var php = scenario.IsPhp ? await PhpFpm.StartAsync(workspace, new PhpSite(workspace.Folder), (Environment.ProcessorCount + 2) * PhpTargets.KeptConnections, cancellation) : null;
            ResultTable.Write(Console.Out, scenario, await new Comparison(workspace, backend, php, options).RunAsync(scenario, cancellation));
        }
    }
}
