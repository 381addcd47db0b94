using System.Security.Authentication;

namespace ProxyKit;

/// <summary>The connections to a cluster's destinations.</summary>
public sealed record HttpClientConfig
{
    /// <summary>TLS versions. Default: the operating system's choice.</summary>
    public SslProtocols? SslProtocols { get; init; }

    /// <summary>Accepts any server certificate, so that anyone in between can read and change everything. For tests only. Default: false.</summary>
    public bool DangerousAcceptAnyServerCertificate { get; init; }

    /// <summary>PEM file with the certificate authorities that are trusted instead of the operating system's. Default: the operating system's.</summary>
    public string? TrustedCertificateAuthorities { get; init; }

    /// <summary>The certificate that this proxy shows to the destinations. Default: none.</summary>
    public ClientCertificateConfig? ClientCertificate { get; init; }

    /// <summary>HTTP/1.1 connections per destination; further requests wait for one. Default: unlimited.</summary>
    public int? MaxConnectionsPerServer { get; init; }

    /// <summary>Whether a further HTTP/2 connection is opened when one's streams are used up. Default: true.</summary>
    public bool EnableMultipleHttp2Connections { get; init; } = true;

    /// <summary>How long an idle connection is kept. Default: 1 minute.</summary>
    public TimeSpan PooledConnectionIdleTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a connection is used before it is replaced, so that DNS changes are seen. Default: infinite.</summary>
    public TimeSpan PooledConnectionLifetime { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>Largest response header block in KB; more is 502. Default: 64.</summary>
    public int MaxResponseHeadersLength { get; init; } = 64;

    /// <summary>Encoding of request header values that transforms and the app's middleware set, e.g. <c>utf-8</c>. Default: latin-1. What clients send passes byte for byte.</summary>
    public string? RequestHeaderEncoding { get; init; }

    /// <summary>Encoding of response header values that transforms set, e.g. <c>utf-8</c>. Default: latin-1. What upstreams send passes byte for byte.</summary>
    public string? ResponseHeaderEncoding { get; init; }

    /// <summary>A forward proxy through which destinations are reached. Default: none; the environment's <c>HTTP_PROXY</c> is not used.</summary>
    public WebProxyConfig? WebProxy { get; init; }
}

/// <summary>A client certificate: PEM files, or one PKCS#12 file.</summary>
public sealed record ClientCertificateConfig
{
    /// <summary>Path of a PEM certificate, or of a PKCS#12 file (<c>.pfx</c>, <c>.p12</c>).</summary>
    public required string Path { get; init; }

    /// <summary>Path of the PEM key, when it stands in a file of its own.</summary>
    public string? KeyPath { get; init; }

    /// <summary>The key's password.</summary>
    public string? Password { get; init; }

    /// <summary>Leaves out the password.</summary>
    public override string ToString() => $"ClientCertificateConfig {{ Path = {Path}, KeyPath = {KeyPath} }}";
}

/// <summary>A forward proxy on the way to the destinations.</summary>
public sealed record WebProxyConfig
{
    /// <summary>Its address.</summary>
    public required Uri Address { get; init; }

    /// <summary>Whether local addresses are reached directly. Default: false.</summary>
    public bool BypassOnLocal { get; init; }

    /// <summary>Whether the process's own credentials are used. Default: false.</summary>
    public bool UseDefaultCredentials { get; init; }
}
