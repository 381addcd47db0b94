using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace ProxyKit.LoadBalancing;

/// <summary>
/// A consistent hash ring (ketama): each destination has points on it by its weight, and a key belongs to the point that follows it. The points depend on nothing
/// but a destination's address and weight, so several proxies with the same destinations agree, and no key moves between two destinations that stay.
/// </summary>
internal sealed class HashRing
{
    /// <summary>Points for each unit of weight. Shares are even to about 8 % with so many.</summary>
    private const int PointsPerUnit = 160;

    private const int PointsPerHash = SHA256.HashSizeInBytes / sizeof(ulong);

    private readonly (string Address, int Weight)[] _members;
    private readonly int[] _counts;
    private readonly ulong[] _positions;
    private readonly Point[] _points;

    private HashRing((string Address, int Weight)[] members)
    {
        _members = members;
        // Weights up to ten, percents, or up to a thousand. Another unit moves everybody's keys, so it depends on nothing that changes with each destination.
        var unit = members.Select(m => m.Weight).DefaultIfEmpty().Max() switch { <= 10 => 1, <= 100 => 10, _ => 100 };
        _counts = [.. members.Select(m => Math.Max(1, PointsPerUnit * m.Weight / unit))];
        _positions = new ulong[_counts.Sum()];
        _points = new Point[_positions.Length];
        var next = 0;
        for (var i = 0; i < members.Length; i++)
        {
            for (var j = 0; j < _counts[i]; j++)
            {
                _positions[next] = Position(members[i].Address, j);
                _points[next++] = new(i, j);
            }
        }
        Array.Sort(_positions, _points);
    }

    public int Length => _points.Length;

    public Point this[int index] => _points[index];

    /// <summary>The ring of these destinations; the previous one if it is the same.</summary>
    public static HashRing Of(IReadOnlyList<Destination> destinations, HashRing? previous)
    {
        var addresses = new Dictionary<string, int>();
        (string, int)[] members = [.. destinations.Select(d => (Identity(d), d.Weight))];
        return previous is not null && previous._members.AsSpan().SequenceEqual(members) ? previous : new(members);

        // Two names may be resolved to one address; their points must not be the same.
        string Identity(Destination destination)
        {
            var address = destination.Config.Address.ToLowerInvariant();
            var count = addresses[address] = addresses.GetValueOrDefault(address) + 1;
            return count == 1 ? address : $"{address} {count}";
        }
    }

    public int PointsOf(int member) => _counts[member];

    /// <summary>The index of the point that follows a key.</summary>
    public int Find(ulong key)
    {
        var index = Array.BinarySearch(_positions, key);
        if (index < 0)
            index = ~index;
        return index == _positions.Length ? 0 : index;
    }

    private static ulong Position(string address, int ordinal)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{address}#{ordinal / PointsPerHash}"), digest);
        return BinaryPrimitives.ReadUInt64LittleEndian(digest[(ordinal % PointsPerHash * sizeof(ulong))..]);
    }

    /// <param name="Member">The destination's index.</param>
    /// <param name="Ordinal">The point's number among that destination's points.</param>
    internal readonly record struct Point(int Member, int Ordinal);
}
