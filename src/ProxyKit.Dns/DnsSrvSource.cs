using System.Net;
using DnsClient;
using DnsClient.Protocol;
using Microsoft.Extensions.Options;

namespace ProxyKit.DnsSrv;

/// <summary>A destination for each address of each SRV record.</summary>
internal sealed class DnsSrvSource(IOptions<DnsSrvOptions> options) : IDestinationSource
{
    private readonly Lazy<LookupClient> _client = new(() => CreateClient(options.Value));

    public string Name => "DnsSrv";

    public string? Validate(DiscoveryQuery query) =>
        !Uri.TryCreate(query.Destination.Address, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https") || address.HostNameType is not (UriHostNameType.Dns or UriHostNameType.Basic) // Basic: it begins with an underscore
            || address.Query.Length > 0 || address.Fragment.Length > 0 || address.UserInfo.Length > 0
            ? $"'{query.Destination.Address}' is not the name of SRV records, such as http://_http._tcp.orders.internal."
            : !address.IsDefaultPort ? $"'{query.Destination.Address}' names a port, which is for the SRV records to do."
            : null;

    public async ValueTask<ResolvedDestinations> ResolveAsync(DiscoveryQuery query, CancellationToken cancellationToken)
    {
        var answer = await AskAsync(query.Host, QueryType.SRV, cancellationToken);
        var timeToLive = new TimeToLive(options.Value);
        timeToLive.Saw(answer.Answers);
        // A target of "." says that the service is not there (RFC 2782).
        var records = answer.Answers.SrvRecords().Where(r => r.Target.Value.Length > 1)
            .OrderBy(r => r.Priority).ThenBy(r => r.Target.Value, StringComparer.OrdinalIgnoreCase).ThenBy(r => r.Port).ToArray();

        var found = new List<(SrvRecord Record, string Address, double Weight)>();
        foreach (var record in records)
        {
            var addresses = await AddressesAsync(record.Target, answer, query, timeToLive, cancellationToken);
            found.AddRange(addresses.Select(address => (record, address, (double)record.Weight / addresses.Length)));
        }

        var weights = SrvShares.ToWeights([.. found.Select(f => f.Weight)]);
        return new(found.Select((f, i) => new ResolvedDestination(query.AddressAt(f.Address, f.Record.Port))
        {
            Host = HostOf(f.Record, query),
            Weight = weights[i],
            Backup = f.Record.Priority != records[0].Priority,
        }).ToValueList())
        {
            RefreshAfter = timeToLive.Value,
        };
    }

    private async Task<string[]> AddressesAsync(DnsString target, IDnsQueryResponse srv, DiscoveryQuery query, TimeToLive timeToLive, CancellationToken cancellationToken)
    {
        var family = query.Discovery.AddressFamily;
        QueryType[] types = family switch
        {
            DiscoveryAddressFamily.IPv4 => [QueryType.A],
            DiscoveryAddressFamily.IPv6 => [QueryType.AAAA],
            DiscoveryAddressFamily.PreferIPv6 => [QueryType.AAAA, QueryType.A],
            _ => [QueryType.A, QueryType.AAAA],
        };
        var records = new List<AddressRecord>();
        foreach (var type in types)
        {
            if (records.Count > 0 && family != DiscoveryAddressFamily.All)
                break;
            // Most servers send the addresses along.
            AddressRecord[] sent = [.. srv.Additionals.OfType<AddressRecord>()
                .Where(r => (int)r.RecordType == (int)type && r.DomainName.Value.Equals(target.Value, StringComparison.OrdinalIgnoreCase))];
            records.AddRange(sent.Length > 0 ? sent : (await AskAsync(target, type, cancellationToken)).Answers.OfType<AddressRecord>());
        }
        timeToLive.Saw(records);
        return [.. query.Wanted(records.Select(r => r.Address)).Select(a => a.ToString()).Distinct().Order(StringComparer.Ordinal)];
    }

    private async Task<IDnsQueryResponse> AskAsync(string name, QueryType type, CancellationToken cancellationToken)
    {
        var answer = await _client.Value.QueryAsync(name, type, cancellationToken: cancellationToken);
        // That a name does not exist is an answer.
        return !answer.HasError || answer.Header.ResponseCode == DnsHeaderResponseCode.NotExistentDomain
            ? answer : throw new DnsResponseException((DnsResponseCode)answer.Header.ResponseCode, $"{type} {name}: {answer.ErrorMessage} ({answer.NameServer}).");
    }

    private static string HostOf(SrvRecord record, DiscoveryQuery query)
    {
        var host = record.Target.Value.TrimEnd('.');
        return record.Port == new Uri(query.Destination.Address).Port ? host : $"{host}:{record.Port}";
    }

    private static LookupClient CreateClient(DnsSrvOptions options)
    {
        IPEndPoint[] servers = [.. options.NameServers.Select(IPEndPoint.Parse).Select(s => s.Port == 0 ? new(s.Address, NameServer.DefaultPort) : s)];
        var client = servers.Length == 0 ? new LookupClientOptions() : new(servers);
        // The proxy itself asks when the time has come, and keeps what it knows.
        client.UseCache = false;
        client.Timeout = TimeSpan.FromSeconds(2);
        client.Retries = 1;
        return new(client);
    }

    private sealed class TimeToLive(DnsSrvOptions options)
    {
        public TimeSpan? Value { get; private set; }

        public void Saw(IEnumerable<DnsResourceRecord> records)
        {
            foreach (var record in records)
            {
                var time = TimeSpan.FromSeconds(record.InitialTimeToLive);
                time = time < options.MinRefreshInterval ? options.MinRefreshInterval : time > options.MaxRefreshInterval ? options.MaxRefreshInterval : time;
                Value = Value < time ? Value : time;
            }
        }
    }
}
