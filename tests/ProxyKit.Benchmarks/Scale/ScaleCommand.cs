extern alias yarp;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyKit.Benchmarks.Load;
using YarpMapping = yarp::Microsoft.AspNetCore.Builder.ReverseProxyIEndpointRouteBuilderExtensions;
using YarpServices = yarp::Microsoft.Extensions.DependencyInjection.ReverseProxyServiceCollectionExtensions;

namespace ProxyKit.Benchmarks.Scale;

/// <summary>
/// <c>scale [ROUTES …]</c>: what a start from JSON and a reload of one route cost as the number of routes grows, ProxyKit and YARP in the same run, each start in a process
/// of its own.
/// </summary>
internal static class ScaleCommand
{
    private static readonly int[] s_routes = [10, 100, 1_000, 3_000, 10_000];
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    public static async Task<int> RunAsync(string[] args)
    {
        if (args is ["one", var only, var count])
            return await RunOneAsync(only, int.Parse(count, CultureInfo.InvariantCulture));
        var rows = new List<string[]> { new[] { "routes", "proxy", "start, CPU s", "reload of one, CPU s", "allocated MB" } };
        foreach (var routes in args.Length > 0 ? args.Select(a => int.Parse(a, CultureInfo.InvariantCulture)) : s_routes)
        {
            foreach (var target in new[] { "proxykit", "yarp" })
                rows.Add([routes.ToString("N0", CultureInfo.InvariantCulture), target, .. await MeasureAsync(target, routes)]);
        }
        MarkdownTable.Write(Console.Out, rows);
        return 0;
    }

    private static async Task<string[]> MeasureAsync(string target, int routes)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(ScaleCommand).Assembly.Location);
        foreach (var argument in new[] { "scale", "one", target, routes.ToString(CultureInfo.InvariantCulture) })
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(s_limit);
        try
        {
            var output = await process.StandardOutput.ReadToEndAsync(limit.Token);
            return output.Trim().Split(' ');
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            return [$"not up after {s_limit.TotalSeconds:0} s", "-", "-"];
        }
    }

    private static async Task<int> RunOneAsync(string target, int routes)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, Json(routes, changed: false));
            var before = Environment.CpuUsage.TotalTime;
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            builder.Configuration.AddJsonFile(file, optional: false, reloadOnChange: false);
            var section = builder.Configuration.GetSection("ReverseProxy");
            if (target == "yarp")
                YarpServices.LoadFromConfig(YarpServices.AddReverseProxy(builder.Services), section);
            else
                builder.Services.AddReverseProxy().LoadFromConfig(section);
            await using var app = builder.Build();
            if (target == "yarp")
                YarpMapping.MapReverseProxy(app);
            else
                app.MapReverseProxy();
            await app.StartAsync();
            var started = Environment.CpuUsage.TotalTime;

            await File.WriteAllTextAsync(file, Json(routes, changed: true));
            var (allocated, cpu) = (GC.GetTotalAllocatedBytes(), Environment.CpuUsage.TotalTime);
            ((IConfigurationRoot)app.Configuration).Reload();
            // A reload may go on in the background: it is over when the process is idle.
            for (var last = TimeSpan.Zero; Environment.CpuUsage.TotalTime - last > TimeSpan.FromMilliseconds(5);)
            {
                last = Environment.CpuUsage.TotalTime;
                await Task.Delay(200);
            }
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{(started - before).TotalSeconds:0.00} {(Environment.CpuUsage.TotalTime - cpu).TotalSeconds:0.00} {(GC.GetTotalAllocatedBytes() - allocated) / 1e6:0}"));
            return 0;
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static string Json(int routes, bool changed)
    {
        var (all, clusters) = (new JsonObject(), new JsonObject());
        for (var i = 0; i < routes; i++)
        {
            all[$"r{i}"] = new JsonObject { ["ClusterId"] = $"c{i}", ["Order"] = changed && i == 0 ? 1 : 0, ["Match"] = new JsonObject { ["Path"] = $"/r{i}/{{**path}}" } };
            clusters[$"c{i}"] = new JsonObject { ["Destinations"] = new JsonObject { ["d"] = new JsonObject { ["Address"] = "http://127.0.0.1:5001" } } };
        }
        return new JsonObject { ["ReverseProxy"] = new JsonObject { ["Routes"] = all, ["Clusters"] = clusters } }.ToJsonString();
    }
}
