using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ProxyKit.IntegrationTests.Discovery;

/// <summary>A DNS server on a free UDP port, of just the records that a test gives it (RFC 1035).</summary>
internal sealed class DnsServer : IAsyncDisposable
{
    public const ushort A = 1, Aaaa = 28, Srv = 33;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<(string Name, ushort Type), Answer> _answers = new();
    private readonly ConcurrentQueue<(string Name, ushort Type)> _asked = new();
    private readonly Task _serving;

    public DnsServer()
    {
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _serving = ServeAsync();
    }

    public string Address => _socket.LocalEndPoint!.ToString()!;

    public IReadOnlyCollection<(string Name, ushort Type)> Asked => _asked;

    /// <summary>SRV records, and the addresses that the server sends along.</summary>
    public void SetSrv(string name, uint timeToLive, (int Priority, int Weight, int Port, string Target)[] records, params (string Name, string Address)[] additional) =>
        _answers[(name, Srv)] = new(0, [.. records.Select(r => new Record(name, Srv, timeToLive, [.. Number(r.Priority), .. Number(r.Weight), .. Number(r.Port), .. NameBytes(r.Target)]))],
            [.. additional.Select(a => AddressRecord(a.Name, a.Address, timeToLive))]);

    public void SetAddresses(string name, uint timeToLive, params string[] addresses)
    {
        foreach (var group in addresses.Select(a => AddressRecord(name, a, timeToLive)).GroupBy(r => r.Type))
            _answers[(name, group.Key)] = new(0, [.. group], []);
    }

    /// <summary>Has every question of this name answered with an error: 2 is a failure of the server, 3 that the name does not exist (what is not set at all).</summary>
    public void Fail(string name, ushort type, byte code) => _answers[(name, type)] = new(code, [], []);

    private static Record AddressRecord(string name, string address, uint timeToLive)
    {
        var ip = IPAddress.Parse(address);
        return new(name, ip.AddressFamily == AddressFamily.InterNetwork ? A : Aaaa, timeToLive, ip.GetAddressBytes());
    }

    private async Task ServeAsync()
    {
        var buffer = new byte[4096];
        try
        {
            while (true)
            {
                var received = await _socket.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0), _stop.Token);
                await _socket.SendToAsync(Reply(buffer.AsSpan(0, received.ReceivedBytes)), received.RemoteEndPoint, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private byte[] Reply(ReadOnlySpan<byte> query)
    {
        var labels = new List<string>();
        var end = 12;
        for (; query[end] != 0; end += query[end] + 1)
            labels.Add(Encoding.ASCII.GetString(query.Slice(end + 1, query[end])));
        var question = query[12..(end + 5)];
        var key = (string.Join('.', labels).ToLowerInvariant(), BinaryPrimitives.ReadUInt16BigEndian(question[^4..]));
        _asked.Enqueue(key);
        var answer = _answers.TryGetValue(key, out var known) ? known : new(_answers.Keys.Any(k => k.Name == key.Item1) ? (byte)0 : (byte)3, [], []);

        var reply = new List<byte>();
        reply.AddRange(query[..2]);
        reply.AddRange([0x85, (byte)(0x80 | answer.Code)]);
        reply.AddRange([.. Number(1), .. Number(answer.Records.Length), .. Number(0), .. Number(answer.Additional.Length)]);
        reply.AddRange(question);
        foreach (var record in answer.Records.Concat(answer.Additional))
            reply.AddRange([.. NameBytes(record.Name), .. Number(record.Type), .. Number(1), .. Number((int)(record.TimeToLive >> 16)), .. Number((int)(record.TimeToLive & 0xffff)), .. Number(record.Data.Length), .. record.Data]);
        return [.. reply];
    }

    private static byte[] Number(int value) => [(byte)(value >> 8), (byte)value];

    private static byte[] NameBytes(string name) =>
        [.. name.Split('.', StringSplitOptions.RemoveEmptyEntries).SelectMany(label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]), 0];

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving;
        _socket.Dispose();
        _stop.Dispose();
    }

    private sealed record Record(string Name, ushort Type, uint TimeToLive, byte[] Data);

    private sealed record Answer(byte Code, Record[] Records, Record[] Additional);
}
