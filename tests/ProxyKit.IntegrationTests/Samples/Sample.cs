using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ProxyKit.IntegrationTests.Samples;

/// <summary>Runs the programs under samples/.</summary>
internal static class Sample
{
    /// <summary>Starts it, and waits until it has printed what to try.</summary>
    public static async Task<RunningProgram> StartAsync(string name, int port)
    {
        var sample = Start(name, "--port", port.ToString(CultureInfo.InvariantCulture));
        await sample.WaitForAsync("Ctrl\\+C ends it");
        return sample;
    }

    public static RunningProgram Start(string name, params string[] arguments)
    {
        var configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name; // bin/Debug/net10.0
        return RunningProgram.Start(
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", Repository.Root,
            [Repository.Path("samples", name, "bin", configuration, "net10.0", $"{name}.dll"), .. arguments]);
    }

    /// <summary>A port of which these neighbours are free, itself (0) included.</summary>
    public static int FreePorts(params int[] offsets)
    {
        while (true)
        {
            var port = Random.Shared.Next(20000, 32000);
            if (offsets.All(offset => IsFree(port + offset)))
                return port;
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
