using Microsoft.Extensions.Configuration;
using ProxyKit.Configuration;

namespace ProxyKit.Tests.Configuration;

/// <summary>How a configuration section is read.</summary>
public class SectionTests
{
    [Fact]
    public void An_empty_section_switches_its_feature_on()
    {
        var config = Read("{'Routes':{'r':{'ClusterId':'c','Match':{'Path':'/'},'Cache':{},'Compression':{}}},'Clusters':{'c':{'Resilience':{'Retries':{},'Hedging':{}},'CircuitBreaker':{},'HealthCheck':{'Passive':{}}}}}");

        Assert.Empty(config.Errors);
        Assert.Equal(new CacheConfig(), config.Routes[0].Cache);
        Assert.Equal(new CompressionConfig(), config.Routes[0].Compression);
        Assert.Equal(new ResilienceConfig { Retries = new(), Hedging = new() }, config.Clusters[0].Resilience);
        Assert.Equal(new CircuitBreakerConfig(), config.Clusters[0].CircuitBreaker);
    }

    [Fact]
    public void Later_providers_override_earlier_ones_whether_the_root_is_known_or_not()
    {
        var inner = new ConfigurationBuilder().AddInMemoryCollection([new("ReverseProxy:Clusters:c:Destinations:a:Address", "http://a"), new("ReverseProxy:Clusters:c:Failover", "true")]).Build();
        var root = new ConfigurationBuilder().AddConfiguration(inner).AddInMemoryCollection([
            new("ReverseProxy:clusters:c:Failover", "false"), new("reverseproxy:clusters:c:destinations:b:address", "http://b"), new("ReverseProxyElse:Routes:x:Order", "1"), new("Logging:x", "y")]).Build();
        var section = root.GetSection("ReverseProxy");

        var (known, unknown) = (new ConfigurationConfigSource(section, root).GetConfig(), new ConfigurationConfigSource(section).GetConfig());

        Assert.Empty(known.Errors);
        Assert.Equal(unknown.Clusters, known.Clusters);
        Assert.False(known.Clusters[0].Failover);
        Assert.Equal(["http://a", "http://b"], known.Clusters[0].Destinations.Select(d => d.Address));
        Assert.Empty(known.Routes);
    }

    [Fact]
    public void A_list_keeps_its_order_beyond_ten_items()
    {
        var config = Read("{'Routes':{'r':{'ClusterId':'c','Match':{'Path':'/','Methods':['A','B','C','D','E','F','G','H','I','J','K','L']}}}}");

        Assert.Equal("ABCDEFGHIJKL", string.Concat(config.Routes[0].Match.Methods));
    }

    [Theory]
    [InlineData("'Tls12, Tls13'")]
    [InlineData("['Tls12','Tls13']")]
    public void SslProtocols_is_a_list_or_one_value(string json)
    {
        var config = Read($"{{'Clusters':{{'c':{{'HttpClient':{{'SslProtocols':{json}}}}}}}}}");

        Assert.Empty(config.Errors);
        Assert.Equal(System.Security.Authentication.SslProtocols.Tls12 | System.Security.Authentication.SslProtocols.Tls13, config.Clusters[0].HttpClient.SslProtocols);
    }

    [Fact]
    public void Names_of_yarp_load_or_their_error_names_the_replacement()
    {
        Assert.Equal(
            PassiveHealthPolicy.TransportFailureRate,
            Read("{'Clusters':{'c':{'HealthCheck':{'Passive':{'Enabled':true,'Policy':'TransportFailureRateHealthPolicy'}}}}}").Clusters[0].HealthCheck.Passive.Policy);
        Assert.Contains("AffinityKeyName", Assert.Single(Read("{'Clusters':{'c':{'SessionAffinity':{'Enabled':true,'Settings':{'CustomHeaderName':'x'}}}}}").Errors), StringComparison.Ordinal);
    }

    // The keys that a provider is asked for do not grow with the square of the section.
    [Fact]
    public void A_large_section_is_read_key_by_key()
    {
        var values = Enumerable.Range(0, 10_000).SelectMany(i => new KeyValuePair<string, string?>[]
        {
            new($"ReverseProxy:Routes:r{i}:ClusterId", "c"), new($"ReverseProxy:Routes:r{i}:Match:Path", $"/{i}"), new($"ReverseProxy:Routes:r{i}:Order", "1"),
        });
        var provider = new CountingProvider(values);
        var root = new ConfigurationRoot([provider]);

        var config = new ConfigurationConfigSource(root.GetSection("ReverseProxy"), root).GetConfig();

        Assert.Equal(10_000, config.Routes.Count);
        Assert.Equal(0, provider.Walks);
    }

    private static ProxyConfig Read(string json)
    {
        var section = Misconfigured.Json(json);
        return new ConfigurationConfigSource(section).GetConfig();
    }

    private sealed class CountingProvider : ConfigurationProvider
    {
        public CountingProvider(IEnumerable<KeyValuePair<string, string?>> values) => Data = new Dictionary<string, string?>(values, StringComparer.OrdinalIgnoreCase);

        public int Walks { get; private set; }

        public override IEnumerable<string> GetChildKeys(IEnumerable<string> earlierKeys, string? parentPath)
        {
            Walks++;
            return base.GetChildKeys(earlierKeys, parentPath);
        }
    }
}
