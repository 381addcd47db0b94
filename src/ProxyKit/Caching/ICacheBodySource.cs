using System.IO.Pipelines;

namespace ProxyKit.Caching;

/// <summary>What a body is delivered from: one that is stored, or one that is on its way.</summary>
internal interface ICacheBodySource
{
    /// <summary>Writes a part of the body to a client.</summary>
    ValueTask CopyToAsync(PipeWriter target, long offset, long count, CancellationToken cancellationToken);
}
