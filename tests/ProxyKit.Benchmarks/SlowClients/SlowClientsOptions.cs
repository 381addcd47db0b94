using System.Globalization;
using ProxyKit.Benchmarks.Load;
using ProxyKit.Benchmarks.Php;

namespace ProxyKit.Benchmarks.SlowClients;

/// <summary>The command line of <c>slow-clients</c>.</summary>
internal sealed class SlowClientsOptions
{
    // "proxykit" reads better than "proxykit-php" where all are before php-fpm.
    private static readonly Dictionary<string, string> TargetNames = PhpTargets.Names.ToDictionary(ShortName);

    public static string Usage { get; } = $"""
        slow-clients [--direction up,down,crawl] [--targets A,B] [--clients N] [--rate BYTES/S] [--size BYTES] [--start-over S] [--cut S] [--workers N]
        slow-clients --attack headers,body,read [--targets A,B] [--clients N] [--seconds S] [--workers N]

          {string.Join(", ", TargetNames.Keys)}
          without --targets: {string.Join(',', DefaultTargets)}
        --clients     slow clients (200), each with a body of --size (1048576) at --rate (16384); they begin over --start-over seconds (2)
                      crawl: {Crawlers} readers at {CrawlRate} B/s instead
        --cut         after so many seconds (100) nobody is waited for any longer
        --workers     of php-fpm (2)
        --attack      slowhttptest instead, with so many connections, for so many --seconds (30)
        """;

    /// <summary>How many clients a <c>crawl</c> has, and how fast they read, in bytes per second.</summary>
    public const int Crawlers = 20, CrawlRate = 8192;

    public static IReadOnlyList<string> Attacks { get; } = ["headers", "body", "read"];

    private static string[] DefaultTargets => ["proxykit", "proxykit-http", "proxykit-http-buffered", "nginx", "nginx-http"];

    public IReadOnlyList<string> Targets { get; private set; } = [.. DefaultTargets.Select(FindTarget)];

    /// <summary>What the slow clients do: <c>up</c>, <c>down</c>, <c>crawl</c>, or one of <see cref="Attacks"/>.</summary>
    public IReadOnlyList<string> Runs { get; private set; } = ["up", "down", "crawl"];

    public int Clients { get; private set; } = 200;

    public int Size { get; private set; } = 1 << 20;

    public double Rate { get; private set; } = 16384;

    public double StartOver { get; private set; } = 2;

    public double Cut { get; private set; } = 100;

    public double AttackSeconds { get; private set; } = 30;

    public int Workers { get; private set; } = 2;

    public static SlowClientsOptions Parse(string[] args)
    {
        var options = new SlowClientsOptions();
        for (var i = 0; i < args.Length; i += 2)
        {
            if (i + 1 == args.Length)
                throw new LoadException($"'{args[i]}' is not complete.\n\n{Usage}");
            options.Set(args[i], args[i + 1]);
        }
        return options;
    }

    public static string ShortName(string target) => target.Replace("-php", "", StringComparison.Ordinal);

    private void Set(string name, string value)
    {
        switch (name)
        {
            case "--targets" or "--target": Targets = [.. value.Split(',').Select(FindTarget)]; break;
            case "--direction" or "--directions": Runs = OneOf("up", "down", "crawl"); break;
            case "--attack" or "--attacks": Runs = OneOf([.. Attacks]); break;
            case "--clients": Clients = (int)Number(1, 20_000); break;
            case "--size": Size = (int)Number(1, 1 << 30); break;
            case "--rate": Rate = Number(1, 1e9); break;
            case "--start-over": StartOver = Number(0, 600); break;
            case "--cut": Cut = Number(1, 3600); break;
            case "--seconds": AttackSeconds = Number(1, 3600); break;
            case "--workers": Workers = (int)Number(1, 1000); break;
            default: throw new LoadException($"There is no option '{name}'.\n\n{Usage}");
        }

        double Number(double least, double most) =>
            double.TryParse(value, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number
                : throw new LoadException($"{name} is a number from {least} to {most}, not '{value}'.");

        string[] OneOf(params string[] allowed) =>
            value.Split(',') is var values && values.All(allowed.Contains) ? values : throw new LoadException($"{name} is of {string.Join(", ", allowed)}, not '{value}'.");
    }

    private static string FindTarget(string name) =>
        TargetNames.TryGetValue(name, out var target) ? target : throw new LoadException($"There is no target '{name}'.\n\n{Usage}");
}
