using System.Security.Authentication;

namespace ProxyKit;

/// <summary>Settings of a destination; see <see cref="DestinationConfig"/>.</summary>
public sealed class DestinationOptions
{
    /// <inheritdoc cref="DestinationConfig.Name"/>
    public string? Name { get; set; }

    /// <inheritdoc cref="DestinationConfig.Health"/>
    public string? Health { get; set; }

    /// <inheritdoc cref="DestinationConfig.Host"/>
    public string? Host { get; set; }

    /// <inheritdoc cref="DestinationConfig.Weight"/>
    public int Weight { get; set; } = 1;

    /// <inheritdoc cref="DestinationConfig.Backup"/>
    public bool Backup { get; set; }

    /// <inheritdoc cref="DestinationConfig.MaxConcurrentRequests"/>
    public int? MaxConcurrentRequests { get; set; }

    /// <inheritdoc cref="DestinationConfig.Metadata"/>
    public IDictionary<string, string> Metadata { get; } = new Dictionary<string, string>();
}

/// <summary>Time limits of a cluster; see <see cref="TimeoutConfig"/>.</summary>
public sealed class TimeoutOptions
{
    /// <inheritdoc cref="TimeoutConfig.Connect"/>
    public TimeSpan Connect { get; set; }

    /// <inheritdoc cref="TimeoutConfig.FirstByte"/>
    public TimeSpan FirstByte { get; set; }

    /// <inheritdoc cref="TimeoutConfig.Idle"/>
    public TimeSpan Idle { get; set; }

    /// <inheritdoc cref="TimeoutConfig.Total"/>
    public TimeSpan Total { get; set; }
}

/// <summary>The HTTP version to the destinations; see <see cref="HttpRequestConfig"/>.</summary>
public sealed class ClusterHttpRequestOptions
{
    /// <inheritdoc cref="HttpRequestConfig.Version"/>
    public Version? Version { get; set; }

    /// <inheritdoc cref="HttpRequestConfig.VersionPolicy"/>
    public HttpVersionPolicy? VersionPolicy { get; set; }

    /// <inheritdoc cref="HttpRequestConfig.AllowResponseBuffering"/>
    public bool AllowResponseBuffering { get; set; }
}

/// <summary>The connections to the destinations; see <see cref="HttpClientConfig"/>.</summary>
public sealed class ClusterHttpClientOptions
{
    /// <inheritdoc cref="HttpClientConfig.SslProtocols"/>
    public SslProtocols? SslProtocols { get; set; }

    /// <inheritdoc cref="HttpClientConfig.DangerousAcceptAnyServerCertificate"/>
    public bool DangerousAcceptAnyServerCertificate { get; set; }

    /// <inheritdoc cref="HttpClientConfig.TrustedCertificateAuthorities"/>
    public string? TrustedCertificateAuthorities { get; set; }

    /// <inheritdoc cref="HttpClientConfig.ClientCertificate"/>
    public ClientCertificateConfig? ClientCertificate { get; set; }

    /// <inheritdoc cref="HttpClientConfig.MaxConnectionsPerServer"/>
    public int? MaxConnectionsPerServer { get; set; }

    /// <inheritdoc cref="HttpClientConfig.EnableMultipleHttp2Connections"/>
    public bool EnableMultipleHttp2Connections { get; set; }

    /// <inheritdoc cref="HttpClientConfig.PooledConnectionIdleTimeout"/>
    public TimeSpan PooledConnectionIdleTimeout { get; set; }

    /// <inheritdoc cref="HttpClientConfig.PooledConnectionLifetime"/>
    public TimeSpan PooledConnectionLifetime { get; set; }

    /// <inheritdoc cref="HttpClientConfig.MaxResponseHeadersLength"/>
    public int MaxResponseHeadersLength { get; set; }

    /// <inheritdoc cref="HttpClientConfig.RequestHeaderEncoding"/>
    public string? RequestHeaderEncoding { get; set; }

    /// <inheritdoc cref="HttpClientConfig.ResponseHeaderEncoding"/>
    public string? ResponseHeaderEncoding { get; set; }

    /// <inheritdoc cref="HttpClientConfig.WebProxy"/>
    public WebProxyConfig? WebProxy { get; set; }
}

/// <summary>Further conditions of a route; see <see cref="RouteMatch"/>. Hosts are ASP.NET Core's <c>RequireHost</c>.</summary>
public sealed class RouteMatchOptions
{
    /// <inheritdoc cref="RouteMatch.Methods"/>
    public IList<string> Methods { get; } = [];

    /// <inheritdoc cref="RouteMatch.Headers"/>
    public IList<HeaderMatch> Headers { get; } = [];

    /// <inheritdoc cref="RouteMatch.QueryParameters"/>
    public IList<QueryParameterMatch> QueryParameters { get; } = [];
}
