using System.Net;
using Microsoft.Extensions.Options;

namespace ProxyKit.Buffering;

/// <summary>What the buffered bodies of an app take together, in memory and on disk, and may take (<see cref="BufferingLimits"/>). Whoever takes gives back, on every way out.</summary>
internal sealed class BufferBudget(IOptions<ReverseProxyOptions> options)
{
    private readonly BufferingLimits _limits = options.Value.Buffering;
    private long _memory;
    private long _disk;
    private TaskCompletionSource? _returned;
    private readonly Dictionary<IPAddress, long> _clients = [];

    public long MaxMemory => _limits.MaxMemory;

    public long MaxDisk => _limits.MaxDisk;

    public long MemoryInUse => Volatile.Read(ref _memory);

    public long DiskInUse => Volatile.Read(ref _disk);

    /// <summary>
    /// Completes when something is given back, by whomever. To wait for room without missing it: take this task first, then try, then await the task, then try again.
    /// </summary>
    public Task Returned
    {
        get
        {
            var now = Volatile.Read(ref _returned);
            if (now is not null)
                return now.Task;
            var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return (Interlocked.CompareExchange(ref _returned, mine, null) ?? mine).Task;
        }
    }

    public bool TryTakeMemory(long bytes) => TryTake(ref _memory, bytes, MaxMemory);

    public void ReturnMemory(long bytes) => Return(ref _memory, bytes);

    /// <summary>How much disk space the request bodies of a client may take; a client without an address is not limited.</summary>
    public long MaxDiskOf(IPAddress? client) => client is null ? MaxDisk : (long)(MaxDisk * _limits.MaxClientShare);

    /// <summary>How much they take.</summary>
    public long DiskInUseBy(IPAddress? client)
    {
        if (client is null)
            return 0;
        lock (_clients)
            return _clients.GetValueOrDefault(client);
    }

    /// <summary>Takes a part of a client's share; the disk space itself is taken separately.</summary>
    public bool TryTakeShare(IPAddress? client, long bytes)
    {
        if (client is null)
            return true;
        lock (_clients)
        {
            var taken = _clients.GetValueOrDefault(client) + bytes;
            if (taken > MaxDiskOf(client))
                return false;
            _clients[client] = taken;
            return true;
        }
    }

    public void ReturnShare(IPAddress? client, long bytes)
    {
        if (client is null || bytes == 0)
            return;
        lock (_clients)
        {
            if ((_clients[client] -= bytes) == 0)
                _clients.Remove(client);
        }
    }

    public bool TryTakeDisk(long bytes) => TryTake(ref _disk, bytes, MaxDisk);

    public void ReturnDisk(long bytes) => Return(ref _disk, bytes);

    private static bool TryTake(ref long used, long bytes, long max)
    {
        var now = Volatile.Read(ref used);
        while (now <= max - bytes)
        {
            var seen = Interlocked.CompareExchange(ref used, now + bytes, now);
            if (seen == now)
                return true;
            now = seen;
        }
        return false;
    }

    private void Return(ref long used, long bytes)
    {
        if (bytes == 0)
            return;
        // First the room, then the word of it: who asked for the task after this exchange sees the room.
        Interlocked.Add(ref used, -bytes);
        Interlocked.Exchange(ref _returned, null)?.SetResult();
    }
}
