using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.LoadBalancing;

/// <summary>A request's key as a place on a <see cref="HashRing"/>.</summary>
internal static class HashKey
{
    /// <summary>False when the request has no key.</summary>
    public static bool TryGet(HttpContext context, HashConfig config, out ulong key)
    {
        if (config is { Source: HashSource.ClientIp, Key: null })
            return TryHash(context.Connection.RemoteIpAddress, out key);
        var request = context.Request;
        var (text, more) = config.Key is { } own ? (own(context), null) : config.Source switch
        {
            HashSource.Header => (request.Headers[config.Name!].ToString(), null),
            HashSource.Cookie => (request.Cookies[config.Name!], null),
            HashSource.Query => (request.Query[config.Name!].ToString(), null),
            HashSource.Path => (request.Path.Value, null),
            _ => (request.Path.Value, request.QueryString.Value),
        };
        key = 0;
        if (string.IsNullOrEmpty(text))
            return false;
        key = Hash(text, more);
        return true;
    }

    private static bool TryHash(IPAddress? address, out ulong key)
    {
        key = 0;
        Span<byte> bytes = stackalloc byte[16];
        // A Unix socket has none.
        if (address is null || !address.TryWriteBytes(bytes, out var length))
            return false;
        // The same client, whether the server's socket is for both versions or not.
        key = Hash(address.IsIPv4MappedToIPv6 ? bytes[12..] : bytes[..length]);
        return true;
    }

    private static ulong Hash(string text, string? more)
    {
        var size = Encoding.UTF8.GetMaxByteCount(text.Length + (more?.Length ?? 0));
        var rented = size <= 1024 ? null : ArrayPool<byte>.Shared.Rent(size);
        var bytes = rented ?? stackalloc byte[1024];
        var length = Encoding.UTF8.GetBytes(text, bytes);
        length += Encoding.UTF8.GetBytes(more, bytes[length..]);
        var key = Hash(bytes[..length]);
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
        return key;
    }

    private static ulong Hash(ReadOnlySpan<byte> bytes)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, digest);
        return BinaryPrimitives.ReadUInt64LittleEndian(digest);
    }
}
