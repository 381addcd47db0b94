using System.Runtime.CompilerServices;

namespace ProxyKit.Caching;

/// <summary>The responses under one key in memory. It holds their bodies.</summary>
internal sealed class MemoryResource
{
    // Measured (MemoryStoreSizeTests compare it with the heap): its node in the dictionary, its node in the order, this object.
    private const int Overhead = 256;

    private volatile MemoryResponse[] _responses;
    private long _lastUsed;

    public MemoryResource(string key, MemoryResponse[] responses)
    {
        (Key, _responses) = (key, responses);
        Node = new(this);
    }

    public string Key { get; }

    /// <summary>Replaced, never changed.</summary>
    public MemoryResponse[] Responses { get => _responses; set => _responses = value; }

    /// <summary>Its place in the order in which resources are evicted.</summary>
    public LinkedListNode<MemoryResource> Node { get; }

    /// <summary>What it takes of memory with its bodies, in bytes.</summary>
    public long Size { get; set; }

    /// <summary>Whether evicting it frees nothing for now.</summary>
    public bool IsBeingRead
    {
        get
        {
            foreach (var response in _responses)
            {
                if (response.Body.IsBeingRead)
                    return true;
            }
            return false;
        }
    }

    /// <summary>The store's clock when it was used last.</summary>
    public long LastUsed { get => Volatile.Read(ref _lastUsed); set => Volatile.Write(ref _lastUsed, value); }

    /// <summary>The responses, for a request.</summary>
    public MemoryResponse[] Use(long clock)
    {
        if (LastUsed != clock)
            LastUsed = clock; // no write where it is so already: many processors read it
        return _responses;
    }

    /// <summary>What the key takes of memory, without the responses.</summary>
    public static long SizeOf(string key) => Overhead + MemorySize.Of(key);
}

/// <summary>A response in memory.</summary>
internal sealed class MemoryResponse(CachedResponseHead head, MemoryBody body) : CachedResponse(head)
{
    public MemoryBody Body => body;

    public override long Length => body.Length;

    /// <summary>What it takes of memory without the body, in bytes.</summary>
    public long HeadSize { get; } = MemorySize.Of(head) + Unsafe.SizeOf<nint>();

    /// <summary>What it takes of memory, in bytes.</summary>
    public long Size => HeadSize + body.Capacity;

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
