using ProxyKit.Caching.Disk;

namespace ProxyKit.Caching;

/// <summary>
/// A value for each of many keys, for a while, in a table of bounded size: keys that clients invent cost no more than the table. It holds their hashes; where a group of slots is full, the value that ends first
/// makes room.
/// </summary>
internal sealed class KeyMemory(TimeProvider time, int capacity, Action<long> allocated)
{
    /// <summary>What a slot takes of memory, in bytes.</summary>
    public const int SlotSize = 32;

    private const int GroupSize = 4;

    private readonly Lock _lock = new();
    private Slot[]? _slots;

    public bool TryGet(ReadOnlySpan<char> key, out long value)
    {
        value = 0;
        if (Volatile.Read(ref _slots) is null)
            return false;
        var hash = KeyHash.Of(key);
        lock (_lock)
        {
            foreach (ref readonly var slot in GroupOf(hash))
            {
                if (slot.Key != hash || slot.Until <= Now)
                    continue;
                value = slot.Value;
                return true;
            }
        }
        return false;
    }

    /// <returns>The value of another key that made room though its time was not over; null if there was none.</returns>
    public long? Set(ReadOnlySpan<char> key, long value, TimeSpan lifetime)
    {
        var hash = KeyHash.Of(key);
        lock (_lock)
        {
            if (_slots is null)
            {
                allocated((long)capacity * SlotSize);
                _slots = new Slot[capacity];
            }
            var group = GroupOf(hash);
            ref var place = ref group[0];
            foreach (ref var slot in group)
            {
                if (slot.Key == hash)
                {
                    place = ref slot;
                    break;
                }
                if (slot.Until < place.Until)
                    place = ref slot;
            }
            long? lost = place.Key != hash && place.Until > Now ? place.Value : null;
            place = new() { Key = hash, Until = Now + lifetime.Ticks, Value = value };
            return lost;
        }
    }

    public void Remove(ReadOnlySpan<char> key)
    {
        if (Volatile.Read(ref _slots) is null)
            return;
        var hash = KeyHash.Of(key);
        lock (_lock)
        {
            foreach (ref var slot in GroupOf(hash))
            {
                if (slot.Key == hash)
                    slot = default;
            }
        }
    }

    private long Now => time.GetUtcNow().UtcTicks;

    private Span<Slot> GroupOf(KeyHash hash) => _slots.AsSpan((int)(hash.Low % (ulong)(capacity / GroupSize)) * GroupSize, GroupSize);

    private struct Slot
    {
        public KeyHash Key;
        public long Until;
        public long Value;
    }
}
