using System.Runtime.CompilerServices;

namespace ProxyKit.Caching;

/// <summary>The responses under one key in memory. It holds their bodies until it is released.</summary>
internal sealed class MemoryResource
{
    // Measured (MemoryStoreSizeTests compare it with the heap): the cache's entry, its node in the dictionary, the callback's list, this object.
    private const int Overhead = 324;

    private MemoryResource(MemoryResponse[] responses) => Responses = responses;

    public MemoryResponse[] Responses { get; }

    /// <summary>Null when one of the bodies is gone already.</summary>
    public static MemoryResource? TryCreate(MemoryResponse[] responses)
    {
        for (var i = 0; i < responses.Length; i++)
        {
            if (responses[i].Body.TryHold())
                continue;
            while (--i >= 0)
                responses[i].Body.Release();
            return null;
        }
        return new(responses);
    }

    /// <summary>What it takes of memory, with its key, in bytes.</summary>
    public long SizeWith(string key)
    {
        var size = Overhead + MemorySize.Of(key) + (Unsafe.SizeOf<nint>() * Responses.Length);
        foreach (var response in Responses)
            size += response.Size;
        return size;
    }

    public void Release()
    {
        foreach (var response in Responses)
            response.Body.Release();
    }
}

/// <summary>A response in memory.</summary>
internal sealed class MemoryResponse(CachedResponseHead head, MemoryBody body) : CachedResponse(head)
{
    public MemoryBody Body => body;

    public override long Length => body.Length;

    /// <summary>What it takes of memory, in bytes.</summary>
    public long Size { get; } = MemorySize.Of(head) + body.Capacity;

    /// <summary>The same body under another head.</summary>
    public MemoryResponse With(CachedResponseHead other) => new(other, body);

    public override ValueTask<CachedBody?> OpenAsync(CancellationToken cancellationToken) => new(body.TryHold() ? body : null);
}

/// <summary>What heads take of memory: estimates for a 64-bit process.</summary>
internal static class MemorySize
{
    // The response, its body's object and list, the head with its lists.
    private const int Response = 340;
    private const int Pair = 16, List = 48;

    public static long Of(CachedResponseHead head)
    {
        long size = Response;
        foreach (var (_, value) in head.Headers)
        {
            // Names are mostly the server's own strings.
            size += Pair;
            foreach (var line in value)
                size += Of(line);
            if (value.Count > 1)
                size += List;
        }
        if (head.Vary.Count > 0 || head.RangeStart is not null)
            size += Of(head.VariantKey);
        if (head.Vary.Count > 0)
            size += List;
        foreach (var (name, value) in head.Vary)
            size += Pair + Of(name) + Of(value);
        foreach (var tag in head.Tags)
            size += 160 + Of(tag); // and its place in the index
        return size;
    }

    /// <summary>An object's header, the length, the characters with a null behind them; all rounded up.</summary>
    public static long Of(string? text) => text is null ? 0 : (22 + (2L * text.Length) + 7) & ~7L;
}
