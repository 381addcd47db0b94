using ProxyKit;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The steps that concern a cluster: on a route with destinations of its own, and in <c>AddCluster</c>, alike.</summary>
public static class ProxyClusterSteps
{
    /// <summary>Adds a destination.</summary>
    public static TBuilder WithDestination<TBuilder>(this TBuilder builder, string address)
        where TBuilder : IClusterConventionBuilder => builder.WithDestination(address, static _ => { });

    /// <summary>Adds a destination with settings.</summary>
    public static TBuilder WithDestination<TBuilder>(this TBuilder builder, string address, Action<DestinationOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(configure);
        var options = new DestinationOptions();
        configure(options);
        var destination = new DestinationConfig
        {
            Address = address,
            Name = options.Name,
            Health = options.Health,
            Host = options.Host,
            Weight = options.Weight,
            Backup = options.Backup,
            MaxConcurrentRequests = options.MaxConcurrentRequests,
            Metadata = new(options.Metadata),
        };
        return builder.Step(nameof(WithDestination), cluster => cluster with { Destinations = [.. cluster.Destinations, destination] });
    }

    /// <summary>Sets how a destination is chosen. See <see cref="ClusterConfig.LoadBalancingPolicy"/>.</summary>
    /// <param name="builder">The route or cluster.</param>
    /// <param name="policy">One of <see cref="LoadBalancingPolicies"/>, or the name of a policy of your own.</param>
    public static TBuilder WithLoadBalancing<TBuilder>(this TBuilder builder, string policy)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentException.ThrowIfNullOrEmpty(policy);
        return builder.Step(nameof(WithLoadBalancing), cluster => cluster with { LoadBalancingPolicy = policy });
    }

    /// <summary>Sets how long each phase of a request may take.</summary>
    public static TBuilder WithTimeouts<TBuilder>(this TBuilder builder, Action<TimeoutOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithTimeouts), cluster =>
        {
            var now = cluster.Timeouts;
            var options = new TimeoutOptions { Connect = now.Connect, FirstByte = now.FirstByte, Idle = now.Idle, Total = now.Total };
            configure(options);
            // The default of Connect makes way for a shorter FirstByte, which includes it; a value that was given is an error there.
            if (options.Connect == new TimeoutConfig().Connect && options.FirstByte > TimeSpan.Zero && options.FirstByte < options.Connect)
                options.Connect = options.FirstByte;
            return cluster with { Timeouts = new() { Connect = options.Connect, FirstByte = options.FirstByte, Idle = options.Idle, Total = options.Total } };
        });
    }

    /// <summary>Sets the HTTP version to the destinations.</summary>
    public static TBuilder WithHttpRequest<TBuilder>(this TBuilder builder, Action<ClusterHttpRequestOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithHttpRequest), cluster =>
        {
            var now = cluster.HttpRequest;
            var options = new ClusterHttpRequestOptions { Version = now.Version, VersionPolicy = now.VersionPolicy, AllowResponseBuffering = now.AllowResponseBuffering };
            configure(options);
            return cluster with
            {
                HttpRequest = new() { Version = options.Version, VersionPolicy = options.VersionPolicy, AllowResponseBuffering = options.AllowResponseBuffering },
            };
        });
    }

    /// <summary>Sets how connections to the destinations are made: TLS, limits, lifetimes.</summary>
    public static TBuilder WithHttpClient<TBuilder>(this TBuilder builder, Action<ClusterHttpClientOptions> configure)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Step(nameof(WithHttpClient), cluster =>
        {
            var now = cluster.HttpClient;
            var options = new ClusterHttpClientOptions
            {
                SslProtocols = now.SslProtocols,
                DangerousAcceptAnyServerCertificate = now.DangerousAcceptAnyServerCertificate,
                TrustedCertificateAuthorities = now.TrustedCertificateAuthorities,
                ClientCertificate = now.ClientCertificate,
                MaxConnectionsPerServer = now.MaxConnectionsPerServer,
                EnableMultipleHttp2Connections = now.EnableMultipleHttp2Connections,
                PooledConnectionIdleTimeout = now.PooledConnectionIdleTimeout,
                PooledConnectionLifetime = now.PooledConnectionLifetime,
                MaxResponseHeadersLength = now.MaxResponseHeadersLength,
                RequestHeaderEncoding = now.RequestHeaderEncoding,
                ResponseHeaderEncoding = now.ResponseHeaderEncoding,
                WebProxy = now.WebProxy,
            };
            configure(options);
            return cluster with
            {
                HttpClient = new()
                {
                    SslProtocols = options.SslProtocols,
                    DangerousAcceptAnyServerCertificate = options.DangerousAcceptAnyServerCertificate,
                    TrustedCertificateAuthorities = options.TrustedCertificateAuthorities,
                    ClientCertificate = options.ClientCertificate,
                    MaxConnectionsPerServer = options.MaxConnectionsPerServer,
                    EnableMultipleHttp2Connections = options.EnableMultipleHttp2Connections,
                    PooledConnectionIdleTimeout = options.PooledConnectionIdleTimeout,
                    PooledConnectionLifetime = options.PooledConnectionLifetime,
                    MaxResponseHeadersLength = options.MaxResponseHeadersLength,
                    RequestHeaderEncoding = options.RequestHeaderEncoding,
                    ResponseHeaderEncoding = options.ResponseHeaderEncoding,
                    WebProxy = options.WebProxy,
                },
            };
        });
    }

    internal static TBuilder Step<TBuilder>(this TBuilder builder, string step, Func<ClusterConfig, ClusterConfig> change)
        where TBuilder : IClusterConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.ConfigureCluster(step, change);
        return builder;
    }
}
