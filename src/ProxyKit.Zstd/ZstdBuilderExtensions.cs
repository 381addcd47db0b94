using Microsoft.Extensions.DependencyInjection.Extensions;
using ProxyKit;
using ProxyKit.Zstd;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds Zstandard as a content coding.</summary>
public static class ProxyKitZstdReverseProxyBuilderExtensions
{
    /// <summary>
    /// Adds the content coding <c>zstd</c> (RFC 8878). Routes with <c>WithCompression()</c> offer it, before the others unless <see cref="CompressionConfig.Codings"/> says otherwise.
    /// </summary>
    public static ReverseProxyBuilder AddZstdCompression(this ReverseProxyBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IContentCoding, ZstdCoding>());
        return builder;
    }
}
