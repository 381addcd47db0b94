using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace ProxyKit.SessionAffinity;

/// <summary>
/// Sessions and their keys, at most so many and for so long. What came back is kept before what came once, so that a crowd of new sessions cannot drive out the others.
/// </summary>
internal sealed class LearnedSessions
{
    // Salted hashes: a session's id, which is a credential, is not kept, and nobody chooses where his goes.
    private readonly byte[] _salt = RandomNumberGenerator.GetBytes(32);
    private readonly Shard[] _shards;

    public LearnedSessions(SessionAffinityLearnConfig config, TimeProvider time)
    {
        Config = config;
        var count = config.MaxSessions < 1024 ? 1 : 16;
        _shards = [.. Enumerable.Range(0, count).Select(_ => new Shard(config.MaxSessions / count, config.IdleTimeout, time))];
    }

    public SessionAffinityLearnConfig Config { get; }

    public int Count => _shards.Sum(s => s.Count);

    /// <summary>The key of a session that is known; it has come back.</summary>
    public string? Find(ReadOnlySpan<char> session)
    {
        var id = Id(session);
        return ShardOf(id).Find(id);
    }

    /// <summary>Takes note of a session; false if another had to be forgotten before its time.</summary>
    public bool Learn(ReadOnlySpan<char> session, string key)
    {
        var id = Id(session);
        return ShardOf(id).Set(id, key, add: true);
    }

    /// <summary>Changes the key of a session, if it is known.</summary>
    public void Move(ReadOnlySpan<char> session, string key)
    {
        var id = Id(session);
        ShardOf(id).Set(id, key, add: false);
    }

    public void Forget(ReadOnlySpan<char> session)
    {
        var id = Id(session);
        ShardOf(id).Forget(id);
    }

    private UInt128 Id(ReadOnlySpan<char> session)
    {
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_salt, MemoryMarshal.AsBytes(session), hash);
        return MemoryMarshal.Read<UInt128>(hash);
    }

    private Shard ShardOf(UInt128 id) => _shards[(int)(id % (uint)_shards.Length)];

    private sealed class Shard(int capacity, TimeSpan idleTimeout, TimeProvider time)
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<UInt128, LinkedListNode<Session>> _sessions = [];

        // The last used first.
        private readonly LinkedList<Session> _new = new(), _returned = new();

        public int Count
        {
            get
            {
                lock (_lock)
                    return _sessions.Count;
            }
        }

        public string? Find(UInt128 id)
        {
            lock (_lock)
            {
                if (!_sessions.TryGetValue(id, out var node))
                    return null;
                if (IsExpired(node))
                {
                    Remove(node);
                    return null;
                }
                node.Value.LastUsed = time.GetTimestamp();
                node.List!.Remove(node);
                _returned.AddFirst(node);
                return node.Value.Key;
            }
        }

        public bool Set(UInt128 id, string key, bool add)
        {
            lock (_lock)
            {
                if (_sessions.TryGetValue(id, out var node))
                {
                    node.Value.Key = key;
                    node.Value.LastUsed = time.GetTimestamp();
                    var list = node.List!;
                    list.Remove(node);
                    list.AddFirst(node);
                    return true;
                }
                if (!add)
                    return true;
                RemoveExpired(_new);
                RemoveExpired(_returned);
                var isFull = _sessions.Count >= capacity;
                // A fifth stays for the new, or none of them would live long enough to come back.
                if (isFull)
                    Remove(_new.Last is { } once && (_returned.Count == 0 || _new.Count >= capacity / 5) ? once : _returned.Last!);
                _sessions.Add(id, _new.AddFirst(new Session { Id = id, Key = key, LastUsed = time.GetTimestamp() }));
                return !isFull;
            }
        }

        public void Forget(UInt128 id)
        {
            lock (_lock)
            {
                if (_sessions.TryGetValue(id, out var node))
                    Remove(node);
            }
        }

        private void RemoveExpired(LinkedList<Session> list)
        {
            while (list.Last is { } node && IsExpired(node))
                Remove(node);
        }

        private bool IsExpired(LinkedListNode<Session> node) => time.GetElapsedTime(node.Value.LastUsed) >= idleTimeout;

        private void Remove(LinkedListNode<Session> node)
        {
            node.List!.Remove(node);
            _sessions.Remove(node.Value.Id);
        }
    }

    private sealed class Session
    {
        public required UInt128 Id { get; init; }

        public required string Key { get; set; }

        public required long LastUsed { get; set; }
    }
}
