using System.Collections.Concurrent;
using System.Diagnostics;

namespace ProxyKit.Benchmarks.Load;

/// <summary>A child process that serves: the backend or a target. Disposing it ends it and whatever it started.</summary>
internal sealed class ServerProcess : IDisposable
{
    private static readonly TimeSpan LongestStart = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly ConcurrentQueue<string?> _output = new();

    private ServerProcess(string name, int port, ProcessStartInfo start)
    {
        Name = name;
        Port = port;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data);
        _process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data);
    }

    public string Name { get; }

    /// <summary>Where it speaks HTTP.</summary>
    public int Port { get; }

    /// <summary>Where it speaks HTTPS with HTTP/2, if it does.</summary>
    public int TlsPort { get; private init; }

    /// <summary>Where a .NET target tells what it has allocated; 0 for others.</summary>
    public int StatsPort { get; private init; }

    public bool IsManaged => StatsPort != 0;

    public int Id => _process.Id;

    /// <summary>What it has written so far.</summary>
    public string Output => string.Join('\n', _output);

    public static async Task<ServerProcess> StartAsync(
        string name, ProcessStartInfo start, int port, int tlsPort, int statsPort, CancellationToken cancellation)
    {
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        var server = new ServerProcess(name, port, start) { TlsPort = tlsPort, StatsPort = statsPort };
        try
        {
            server._process.Start();
            server._process.BeginOutputReadLine();
            server._process.BeginErrorReadLine();
            await server.WaitUntilServingAsync(cancellation);
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }
        _process.Dispose();
    }

    private async Task WaitUntilServingAsync(CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        foreach (var port in new[] { Port, TlsPort }.Where(port => port != 0))
        {
            while (!await Ports.IsOpenAsync(port, cancellation))
            {
                if (_process.HasExited || Stopwatch.GetElapsedTime(started) > LongestStart)
                    throw new LoadException($"{Name} did not start:\n{Output}");
                await Task.Delay(50, cancellation);
            }
        }
    }
}
