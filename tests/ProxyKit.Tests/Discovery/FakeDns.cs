using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using ProxyKit.Discovery;

namespace ProxyKit.Tests.Discovery;

/// <summary>A DNS in memory. What is not in there does not exist.</summary>
internal sealed class FakeDns(TimeProvider time) : DnsLookup
{
    private readonly ConcurrentDictionary<string, Func<CancellationToken, Task<IPAddress[]?>>> _names = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentQueue<(string Name, DateTimeOffset At)> _asked = new();

    /// <summary>What was asked for, and when.</summary>
    public IReadOnlyCollection<(string Name, DateTimeOffset At)> Asked => _asked;

    public string[] this[string name] { set => _names[name] = _ => Task.FromResult<IPAddress[]?>([.. value.Select(IPAddress.Parse)]); }

    /// <summary>The name cannot be asked for.</summary>
    public void Fail(string name) => _names[name] = _ => throw new SocketException((int)SocketError.TryAgain);

    /// <summary>The server does not answer.</summary>
    public void Stall(string name) => _names[name] = async token =>
    {
        await Task.Delay(Timeout.InfiniteTimeSpan, token);
        return [];
    };

    public override Task<IPAddress[]?> LookUpAsync(string host, CancellationToken cancellationToken)
    {
        _asked.Enqueue((host, time.GetUtcNow()));
        return _names.TryGetValue(host, out var answer) ? answer(cancellationToken) : Task.FromResult<IPAddress[]?>([]);
    }
}
