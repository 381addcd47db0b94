using System.Globalization;
using ProxyKit.Configuration;
using ProxyKit.Forwarding;

namespace ProxyKit.Health;

/// <summary>The part of validation that concerns a cluster's health checks.</summary>
internal static class HealthCheckValidator
{
    private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(int.MaxValue);

    public static void Validate(string where, ClusterConfig cluster, List<string> errors)
    {
        var check = cluster.HealthCheck;
        if (check.PanicThreshold is < 0 or > 100)
            errors.Add($"{where}: HealthCheck.PanicThreshold is {check.PanicThreshold}; it is a percentage, 0 to 100.");
        if (check.SlowStart < TimeSpan.Zero || check.SlowStart > TimeSpan.FromDays(1))
            errors.Add($"{where}: HealthCheck.SlowStart is {check.SlowStart}; it must be 00:00:00 (off) to 1.00:00:00.");
        ValidateActive($"{where}: HealthCheck.Active", check.Active, errors);
        if (check.Active.Enabled)
            ValidateProtocol(where, cluster, check.Active, errors);
    }

    private static void ValidateActive(string where, ActiveHealthCheckConfig active, List<string> errors)
    {
        Time(nameof(active.Interval), active.Interval);
        Time(nameof(active.IntervalWhenDown), active.IntervalWhenDown);
        Time(nameof(active.Timeout), active.Timeout);
        if (active.StartupWait < TimeSpan.Zero || active.StartupWait > s_longest)
            errors.Add($"{where}.StartupWait is {active.StartupWait}; it must be 00:00:00 (not at all) to 24 days.");
        if (active.Jitter is not (>= 0 and <= 0.5))
            errors.Add($"{where}.Jitter is {active.Jitter.ToString(CultureInfo.InvariantCulture)}; it must be 0 to 0.5.");
        if (active.Rise < 1)
            errors.Add($"{where}.Rise is {active.Rise}; it must be at least 1.");
        if (active.Fall < 1)
            errors.Add($"{where}.Fall is {active.Fall}; it must be at least 1.");
        if (active.Host is { } host && !ClusterValidator.IsHost(host))
            errors.Add($"{where}.Host '{host}' is not a host name.");
        if (active.Version is { } version && !ClusterValidator.IsHttpVersion(version))
            errors.Add($"{where}.Version '{version}' is not an HTTP version. Allowed are 1.0, 1.1, 2 and 3.");
        ValidateHeaders(where, active.Headers, errors);
        ValidateTarget(where, active, errors);
        ValidateExpectations(where, active, errors);
        ValidateProbe(where, active, errors);

        void Time(string name, TimeSpan? value)
        {
            if (value <= TimeSpan.Zero || value > s_longest)
                errors.Add($"{where}.{name} is {value}; it must be positive and at most 24 days.");
        }
    }

    // A probe asks over the cluster's own kind of connection, wherever it asks.
    private static void ValidateProtocol(string where, ClusterConfig cluster, ActiveHealthCheckConfig active, List<string> errors)
    {
        var isFastCgi = HttpHandlerFactory.IsFastCgi(cluster);
        if (isFastCgi && active.Probe == HealthProbe.Grpc)
            errors.Add($"{where}: HealthCheck.Active.Probe is Grpc, and the destinations speak FastCGI. Allowed are Http and Tcp.");
        if (isFastCgi && active is { Probe: HealthProbe.Http, Path: null or "/" })
            errors.Add($"{where}: HealthCheck.Active needs a Path: the ping.path or pm.status_path in php-fpm's configuration, such as /ping, or the file of a script.");
    }

    private static void ValidateHeaders(string where, ValueMap headers, List<string> errors)
    {
        foreach (var (name, value) in headers)
        {
            if (!Tokens.IsToken(name))
                errors.Add($"{where}.Headers: '{name}' is not a header name.");
            else if (name.ToUpperInvariant() is "HOST" or "CONNECTION" or "CONTENT-LENGTH" or "TRANSFER-ENCODING" or "TE" or "UPGRADE")
                errors.Add($"{where}.Headers: '{name}' cannot be set here{(name.Equals("Host", StringComparison.OrdinalIgnoreCase) ? "; it has a key of its own, Host" : "")}.");
            if (value.Any(char.IsControl))
                errors.Add($"{where}.Headers: the value of '{name}' holds control characters.");
        }
    }

    private static void ValidateTarget(string where, ActiveHealthCheckConfig active, List<string> errors)
    {
        if (active.Path is { } path && (!path.StartsWith('/') || path.AsSpan().ContainsAny('?', '#') || path.Any(IsNotInTarget)))
            errors.Add($"{where}.Path '{path}' must begin with a slash and hold no query, fragment or space; the query has a key of its own, Query.");
        if (active.Query is { } query && (query.Contains('#', StringComparison.Ordinal) || query.Any(IsNotInTarget)))
            errors.Add($"{where}.Query '{query}' must hold no fragment or space.");
        if (!Tokens.IsToken(active.Method))
            errors.Add($"{where}.Method '{active.Method}' is not a method name.");
    }

    private static void ValidateExpectations(string where, ActiveHealthCheckConfig active, List<string> errors)
    {
        if (!StatusRanges.TryParse(active.ExpectedStatus, out _))
            errors.Add($"{where}.ExpectedStatus '{active.ExpectedStatus}' is not allowed; it must be {StatusRanges.Allowed}.");
        if (active is { ExpectedBody: not null, ExpectedBodyPattern: not null })
            errors.Add($"{where}: ExpectedBody ('{active.ExpectedBody}') and ExpectedBodyPattern ('{active.ExpectedBodyPattern}') exclude each other.");
        if ((active.ExpectedBody ?? active.ExpectedBodyPattern) is not null && active.Method.Equals("HEAD", StringComparison.OrdinalIgnoreCase))
            errors.Add($"{where}: the answer to HEAD has no body; ExpectedBody and ExpectedBodyPattern need another Method.");
        if (active.ExpectedBodyPattern is { } pattern)
        {
            try
            {
                HttpProbe.CreatePattern(pattern);
            }
            catch (ArgumentException e)
            {
                errors.Add($"{where}.ExpectedBodyPattern '{pattern}' is not a regular expression: {e.Message}");
            }
        }
    }

    // What a probe would not look at is a check that is believed to be there and is not.
    private static void ValidateProbe(string where, ActiveHealthCheckConfig active, List<string> errors)
    {
        var defaults = new ActiveHealthCheckConfig();
        if (active.Probe != HealthProbe.Http)
        {
            OnlyFor(HealthProbe.Http, nameof(active.Path), active.Path is not null);
            OnlyFor(HealthProbe.Http, nameof(active.Query), active.Query is not null);
            OnlyFor(HealthProbe.Http, nameof(active.Method), active.Method != defaults.Method);
            OnlyFor(HealthProbe.Http, nameof(active.ExpectedStatus), active.ExpectedStatus != defaults.ExpectedStatus);
            OnlyFor(HealthProbe.Http, nameof(active.ExpectedBody), active.ExpectedBody is not null);
            OnlyFor(HealthProbe.Http, nameof(active.ExpectedBodyPattern), active.ExpectedBodyPattern is not null);
            OnlyFor(HealthProbe.Http, nameof(active.Version), active.Version is not null);
            OnlyFor(HealthProbe.Http, nameof(active.VersionPolicy), active.VersionPolicy is not null);
        }
        if (active.Probe != HealthProbe.Grpc)
            OnlyFor(HealthProbe.Grpc, nameof(active.GrpcService), active.GrpcService is not null);
        if (active.Probe == HealthProbe.Tcp && active is not { Headers.Count: 0, Host: null })
            errors.Add($"{where}: Headers and Host are not for Probe {active.Probe}, which sends nothing.");

        void OnlyFor(HealthProbe probe, string name, bool isGiven)
        {
            if (isGiven)
                errors.Add($"{where}.{name} is for Probe {probe}; here it is {active.Probe}.");
        }
    }

    private static bool IsNotInTarget(char c) => c is <= ' ' or >= '\u007f';
}
