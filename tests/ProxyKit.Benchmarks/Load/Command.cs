using System.Runtime.InteropServices;

namespace ProxyKit.Benchmarks.Load;

/// <summary>Runs a command so that Ctrl+C stops its children and deletes its files too, and a problem of the user's is a message.</summary>
internal static class Command
{
    public static async Task<int> RunAsync(Func<CancellationToken, Task> command)
    {
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, StopGently);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, StopGently);
        try
        {
            await command(stop.Token);
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

    /// <summary>Says what is being done, at a terminal.</summary>
    public static void Progress(string text)
    {
        if (!Console.IsErrorRedirected)
            Console.Error.Write($"\r{text,-70}\r");
    }
}
