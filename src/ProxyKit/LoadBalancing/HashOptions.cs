using Microsoft.AspNetCore.Http;

namespace ProxyKit;

/// <summary>Load balancing by a hash; see <see cref="HashConfig"/>.</summary>
public sealed class HashOptions
{
    /// <inheritdoc cref="HashConfig.Source"/>
    public HashSource Source { get; set; }

    /// <inheritdoc cref="HashConfig.Name"/>
    public string? Name { get; set; }

    /// <inheritdoc cref="HashConfig.Key"/>
    public Func<HttpContext, string?>? Key { get; set; }

    /// <inheritdoc cref="HashConfig.BoundedLoadFactor"/>
    public double? BoundedLoadFactor { get; set; }
}
