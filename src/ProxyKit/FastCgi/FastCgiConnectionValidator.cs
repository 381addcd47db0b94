namespace ProxyKit.FastCgi;

/// <summary>Finds what is wrong with a cluster's <see cref="ClusterConfig.FastCgi"/>, and with what does not go together with FastCGI.</summary>
internal static class FastCgiConnectionValidator
{
    private const int MaxQueueLimit = 1_000_000;
    private static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(int.MaxValue);

    public static void Validate(string where, ClusterConfig cluster, List<string> errors)
    {
        var fastCgi = cluster.Destinations.FirstOrDefault(d => DestinationAddress.SpeaksFastCgi(d.Address));
        if (fastCgi is not null && cluster.Destinations.FirstOrDefault(d => !DestinationAddress.SpeaksFastCgi(d.Address)) is { } http)
            errors.Add($"{where}: the destinations '{fastCgi.Address}' and '{http.Address}' do not go together: all destinations of a cluster speak FastCGI, or none does.");
        foreach (var destination in cluster.Destinations)
        {
            if (destination.Health is { } health && DestinationAddress.SpeaksFastCgi(health) != DestinationAddress.SpeaksFastCgi(destination.Address))
                errors.Add($"{where}: destination '{destination.Name ?? destination.Address}': Health '{health}' and Address '{destination.Address}' must both be fastcgi:// or neither.");
        }
        if (fastCgi is not null)
            ValidateHttp(where, cluster, errors);
        else if (cluster is { FastCgi: not null, Destinations.Count: > 0 })
            errors.Add($"{where}: FastCgi is for destinations with fastcgi://, and '{cluster.Destinations[0].Address}' is none.");
        if (cluster.FastCgi is { } connections)
            Validate(where, connections, cluster.Timeouts.FirstByte, errors);
    }

    private static void Validate(string where, FastCgiConnectionConfig connections, TimeSpan firstByte, List<string> errors)
    {
        if (connections.MaxConnections is < 1)
            errors.Add($"{where}: FastCgi.MaxConnections is {connections.MaxConnections}; it must be at least 1.");
        if (connections is { KeepConnections: true, MaxConnections: null })
            errors.Add($"{where}: FastCgi.KeepConnections needs FastCgi.MaxConnections: a kept connection occupies a php-fpm worker as long as it idles, so without a limit below pm.max_children requests wait for workers that nobody uses.");
        if (connections.QueueLimit is < 0 or > MaxQueueLimit)
            errors.Add($"{where}: FastCgi.QueueLimit is {connections.QueueLimit}; it must be 0 to {MaxQueueLimit}.");
        if (connections.QueueTimeout <= TimeSpan.Zero || connections.QueueTimeout > s_longest)
            errors.Add($"{where}: FastCgi.QueueTimeout is {connections.QueueTimeout}; it must be positive and at most 24 days. For no queue set QueueLimit to 0.");
        else if (connections.MaxConnections is not null && firstByte > TimeSpan.Zero && connections.QueueTimeout > firstByte)
            errors.Add($"{where}: FastCgi.QueueTimeout ({connections.QueueTimeout}) is longer than Timeouts.FirstByte ({firstByte}), which includes it. Shorten QueueTimeout, or lengthen FirstByte.");
        if (connections.IdleTimeout != Timeout.InfiniteTimeSpan && (connections.IdleTimeout <= TimeSpan.Zero || connections.IdleTimeout > s_longest))
            errors.Add($"{where}: FastCgi.IdleTimeout is {connections.IdleTimeout}; it must be positive and at most 24 days, or -00:00:00.0010000 for no limit.");
        if (!Enum.IsDefined(connections.StandardError))
            errors.Add($"{where}: FastCgi.StandardError '{connections.StandardError}' is not a log level.");
    }

    // What would be ignored, and makes believe that it is not.
    private static void ValidateHttp(string where, ClusterConfig cluster, List<string> errors)
    {
        if (cluster.HttpRequest.Version is { } version)
            errors.Add($"{where}: HttpRequest.Version is {version}, but its destinations speak FastCGI, not HTTP.");
        if (cluster.HttpRequest.VersionPolicy is { } policy)
            errors.Add($"{where}: HttpRequest.VersionPolicy is {policy}, but its destinations speak FastCGI, not HTTP.");
        if (cluster.HttpClient != new HttpClientConfig())
            errors.Add($"{where}: HttpClient is for destinations that speak HTTP. Connections to FastCGI applications are set in FastCgi: HttpClient.MaxConnectionsPerServer is FastCgi.MaxConnections there.");
    }
}
