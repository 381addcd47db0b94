namespace ProxyKit;

/// <summary>
/// How a cluster's configured destinations become the real ones: each is a name that a source resolves, again and again, while requests keep flowing.
/// nginx: <c>server … resolve</c>; HAProxy: <c>resolvers</c> with <c>server-template</c>.
/// </summary>
public sealed record DiscoveryConfig
{
    /// <summary>What resolves them: one of <see cref="DestinationSources"/>, or a source of your own (<see cref="IDestinationSource"/>). Default: <c>Dns</c>.</summary>
    public string Source { get; init; } = DestinationSources.Dns;

    /// <summary>
    /// How long an answer is used before the source is asked again, where the source itself does not say: 1 second to 1 day, give or take a tenth so that not all ask
    /// at once. After a failure it is asked sooner: after 1, 2, 4 … seconds, up to this. Default: 30 seconds. nginx: <c>valid</c>; HAProxy: <c>hold valid</c>.
    /// </summary>
    public TimeSpan RefreshInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long one answer may take: up to 1 minute. Start-up waits for the first one, but no longer than this. Default: 5 seconds. nginx: <c>resolver_timeout</c>.
    /// </summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long a name keeps its destinations after the source has begun to answer that it has none. Zero drops them at once, infinite keeps them. A failure to
    /// answer is no such answer: it leaves them as they are for as long as it lasts. Default: 30 seconds. HAProxy: <c>hold nx</c>.
    /// </summary>
    public TimeSpan HoldTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Which addresses a name from DNS stands for. Default: <see cref="DiscoveryAddressFamily.PreferIPv4"/>. nginx: <c>ipv6=off</c>; HAProxy: <c>resolve-prefer</c>.</summary>
    public DiscoveryAddressFamily AddressFamily { get; init; }
}

/// <summary>Which of a name's addresses become destinations. A server that has one of each kind would be there twice with <see cref="All"/>.</summary>
public enum DiscoveryAddressFamily
{
    /// <summary>IPv4; IPv6 only where a name has nothing else.</summary>
    PreferIPv4,

    /// <summary>IPv6; IPv4 only where a name has nothing else.</summary>
    PreferIPv6,

    /// <summary>IPv4 only.</summary>
    IPv4,

    /// <summary>IPv6 only.</summary>
    IPv6,

    /// <summary>Both, each a destination.</summary>
    All,
}
