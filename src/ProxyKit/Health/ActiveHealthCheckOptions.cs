namespace ProxyKit;

/// <summary>Asking each destination from time to time; see <see cref="ActiveHealthCheckConfig"/>.</summary>
public sealed class ActiveHealthCheckOptions
{
    internal ActiveHealthCheckOptions(ActiveHealthCheckConfig config)
    {
        Interval = config.Interval;
        IntervalWhenDown = config.IntervalWhenDown;
        Jitter = config.Jitter;
        Timeout = config.Timeout;
        Rise = config.Rise;
        Fall = config.Fall;
        StartupWait = config.StartupWait;
        Path = config.Path;
        Query = config.Query;
        Method = config.Method;
        Headers = new Dictionary<string, string>(config.Headers, StringComparer.OrdinalIgnoreCase);
        Host = config.Host;
        ExpectedStatus = config.ExpectedStatus;
        ExpectedBody = config.ExpectedBody;
        ExpectedBodyPattern = config.ExpectedBodyPattern;
        Version = config.Version;
        VersionPolicy = config.VersionPolicy;
        GrpcService = config.GrpcService;
        // Tcp is what there is without a path: a step that adds one asks for it.
        if (config.Enabled && config.Probe != HealthProbe.Tcp)
            Probe = config.Probe;
    }

    /// <inheritdoc cref="ActiveHealthCheckConfig.Enabled"/>
    public bool Enabled { get; set; } = true;

    /// <summary>What is asked. Default: <see cref="HealthProbe.Http"/> where there is a <see cref="Path"/>, else <see cref="HealthProbe.Tcp"/>.</summary>
    public HealthProbe? Probe { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.Interval"/>
    public TimeSpan Interval { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.IntervalWhenDown"/>
    public TimeSpan? IntervalWhenDown { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.Jitter"/>
    public double Jitter { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.Timeout"/>
    public TimeSpan Timeout { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.Rise"/>
    public int Rise { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.Fall"/>
    public int Fall { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.StartupWait"/>
    public TimeSpan StartupWait { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.Path"/>
    public string? Path { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.Query"/>
    public string? Query { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.Method"/>
    public string Method { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.Headers"/>
    public IDictionary<string, string> Headers { get; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.Host"/>
    public string? Host { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.ExpectedStatus"/>
    public string ExpectedStatus { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.ExpectedBody"/>
    public string? ExpectedBody { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.ExpectedBodyPattern"/>
    public string? ExpectedBodyPattern { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.Version"/>
    public Version? Version { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.VersionPolicy"/>
    public HttpVersionPolicy? VersionPolicy { get; set; }

    /// <inheritdoc cref="ActiveHealthCheckConfig.GrpcService"/>
    public string? GrpcService { get; set; }

    internal ActiveHealthCheckConfig ToConfig() => new()
    {
        Enabled = Enabled,
        Probe = Probe ?? (Path is null ? HealthProbe.Tcp : HealthProbe.Http),
        Interval = Interval,
        IntervalWhenDown = IntervalWhenDown,
        Jitter = Jitter,
        Timeout = Timeout,
        Rise = Rise,
        Fall = Fall,
        StartupWait = StartupWait,
        Path = Path,
        Query = Query,
        Method = Method,
        Headers = new(Headers),
        Host = Host,
        ExpectedStatus = ExpectedStatus,
        ExpectedBody = ExpectedBody,
        ExpectedBodyPattern = ExpectedBodyPattern,
        Version = Version,
        VersionPolicy = VersionPolicy,
        GrpcService = GrpcService,
    };
}
