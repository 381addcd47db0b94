namespace ProxyKit;

/// <summary>How SRV records are asked for.</summary>
public sealed class DnsSrvOptions
{
    /// <summary>
    /// The DNS servers, as IP addresses with a port unless it is 53: <c>10.0.0.2</c>, <c>127.0.0.1:8600</c>, <c>[fd00::2]:53</c>. The next is asked when one does not
    /// answer. Default: those of the system. nginx, HAProxy: <c>resolver</c>, <c>nameserver</c>.
    /// </summary>
    public IList<string> NameServers { get; } = [];

    /// <summary>How long an answer is used at least, whatever its time to live says: at least 1 second. Default: 5 seconds.</summary>
    public TimeSpan MinRefreshInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long an answer is used at most, whatever its time to live says: up to 1 day. Default: 5 minutes.</summary>
    public TimeSpan MaxRefreshInterval { get; set; } = TimeSpan.FromMinutes(5);
}
