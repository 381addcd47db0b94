using System.Globalization;
using ProxyKit.Benchmarks.Caching;
using ProxyKit.Benchmarks.Php;
using ProxyKit.Benchmarks.Targets;

namespace ProxyKit.Benchmarks.Load;

/// <summary>The command line of <c>load</c>.</summary>
internal sealed class LoadOptions
{
    /// <summary>No thread pool between the sockets and the app.</summary>
    public const string InlineSuffix = "-inline";

    /// <summary>The thread pool's idle threads spin, as .NET's do by default; ProxyKit's package says that they sleep.</summary>
    public const string SpinSuffix = "-spin";

    /// <summary>The thread pool's idle threads sleep, also those of a target that is not ProxyKit.</summary>
    public const string NoSpinSuffix = "-nospin";

    public static string Usage { get; } = $"""
        load [--scenario A,B|all] [--targets A,B] [--rounds N] [--seconds S] [--starts N]
             [--quiet PERCENT] [--max-wait S]

        scenarios
        {string.Join('\n', Scenario.All.Select(s => $"  {s.Name,-12} {s.Description}"))}
          without --scenario: {string.Join(',', Scenario.DefaultNames)}
        targets
          {string.Join(", ", TargetHost.Targets.Keys.Except(PhpTargets.Names))}, nginx
          before php-fpm: {string.Join(", ", PhpTargets.Names)}
          that have the answer: {string.Join(", ", CacheTargets.Names)}
          and each .NET target with a suffix: {InlineSuffix}: request processing on the I/O threads;
          {SpinSuffix} (what the others have), {NoSpinSuffix} (what ProxyKit has): idle threads of the pool spin or sleep
          without --targets: {string.Join(',', DefaultTargets)}; for PHP scenarios {string.Join(',', DefaultPhpTargets)}; for hits {string.Join(',', CacheTargets.Defaults)}
        --starts
          how often all targets are started anew, each time with all rounds (1): how much CPU a process needs depends on the start
        --quiet, --max-wait
          a run waits, and is repeated, while other programs use more CPU than this (percent of one core, 15),
          for at most this long in a scenario (60)
        """;

    private static readonly string[] s_suffixes = [InlineSuffix, NoSpinSuffix, SpinSuffix];

    private string[]? _targets;

    public IReadOnlyList<Scenario> Scenarios { get; private set; } = [.. Scenario.DefaultNames.Select(FindScenario)];

    public int Rounds { get; private set; } = 3;

    public int Starts { get; private set; } = 1;

    public double Seconds { get; private set; } = 4;

    public double QuietPercent { get; private set; } = 15;

    public TimeSpan LongestWait { get; private set; } = TimeSpan.FromSeconds(60);

    public IReadOnlyList<string> TargetsOf(Scenario scenario) => _targets ?? (scenario.IsPhp ? DefaultPhpTargets : scenario.IsHit ? CacheTargets.Defaults : DefaultTargets);

    public static LoadOptions Parse(string[] args)
    {
        var options = new LoadOptions();
        for (var i = 0; i < args.Length; i += 2)
        {
            if (i + 1 == args.Length)
                throw new LoadException($"'{args[i]}' is not complete.\n\n{Usage}");
            options.Set(args[i], args[i + 1]);
        }
        return options;
    }

    private void Set(string name, string value)
    {
        switch (name)
        {
            case "--scenario" or "--scenarios": Scenarios = value == "all" ? Scenario.All : [.. value.Split(',').Select(FindScenario)]; break;
            case "--targets" or "--target": _targets = [.. value.Split(',').Select(CheckTarget)]; break;
            case "--rounds": Rounds = (int)Number(1, 100); break;
            case "--starts": Starts = (int)Number(1, 20); break;
            case "--seconds": Seconds = Number(1, 600); break;
            case "--quiet": QuietPercent = Number(0, 100_000); break;
            case "--max-wait": LongestWait = TimeSpan.FromSeconds(Number(0, 3600)); break;
            default: throw new LoadException($"There is no option '{name}'.\n\n{Usage}");
        }

        double Number(double least, double most) =>
            double.TryParse(value, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number
                : throw new LoadException($"{name} is a number from {least} to {most}, not '{value}'.");
    }

    private static string[] DefaultTargets => ["kestrel", "minimal", "proxykit", "yarp", NginxProcess.Name];

    private static string[] DefaultPhpTargets => [.. PhpTargets.Names.Where(name => !name.EndsWith("-unbuffered", StringComparison.Ordinal))];

    private static Scenario FindScenario(string name) =>
        Scenario.All.FirstOrDefault(s => s.Name == name) ?? throw new LoadException($"There is no scenario '{name}'.\n\n{Usage}");

    private static string CheckTarget(string name) =>
        name == NginxProcess.Name || CacheTargets.Names.Contains(name) || PhpTargets.Names.Contains(name) || TargetHost.Targets.ContainsKey(WithoutSuffix(name)) ? name
            : throw new LoadException($"There is no target '{name}'.\n\n{Usage}");

    public static string WithoutSuffix(string name) =>
        Array.Find(s_suffixes, suffix => name.EndsWith(suffix, StringComparison.Ordinal)) is { } suffix ? name[..^suffix.Length] : name;
}
