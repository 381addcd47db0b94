using Microsoft.AspNetCore.Http;

namespace ProxyKit.Compression;

/// <summary>Compression where there is no cache.</summary>
internal sealed class CompressionStage(RequestDelegate next, ResponseCompression compression)
{
    public Task InvokeAsync(HttpContext context) => compression.InvokeAsync(context, next);
}
