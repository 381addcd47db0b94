using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;
using Microsoft.Extensions.ServiceDiscovery;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Discovery;

/// <summary>The names of Microsoft.Extensions.ServiceDiscovery.</summary>
public class ServiceDiscoveryTests
{
    [Theory]
    [InlineData("https+http://orders/base", "https://10.0.0.9:9999/base")]
    [InlineData("http://orders", "http://10.0.0.1:8080")]
    [InlineData("https://orders", "https://10.0.0.9:9999")]
    [InlineData("http://_admin.orders", "http://10.0.0.2:8080")]
    public async Task A_service_in_configuration_has_the_endpoints_that_stand_there(string address, string expected)
    {
        await using var app = await StartAsync(address, Configuration(
            ("Services:orders:http:0", "http://10.0.0.1:8080"), ("Services:orders:https:0", "https://10.0.0.9:9999"), ("Services:orders:admin:0", "http://10.0.0.2:8080")));

        await app.Client.GetAsync("/");
        var found = (await app.OutcomeAsync()).AvailableDestinations.Select(d => d.Config).ToArray();

        Assert.Equal(expected.Split(' ').Order(), found.Select(d => d.Address).Order());
        Assert.All(found, d => Assert.Null(d.Host));
    }

    [Fact]
    public async Task A_change_is_followed()
    {
        var configuration = Configuration(("Services:orders:http:0", "http://10.0.0.1:8080"));
        await using var app = await StartAsync("http://orders", configuration);
        Assert.StartsWith("10.0.0.1", await app.Client.GetStringAsync("/"), StringComparison.Ordinal);

        configuration["Services:orders:http:0"] = "http://10.0.0.2:8080";
        ((IConfigurationRoot)configuration).Reload();

        while (!(await app.Client.GetStringAsync("/")).StartsWith("10.0.0.2", StringComparison.Ordinal))
            await Task.Yield();
    }

    [Fact]
    public async Task A_service_that_nobody_knows_is_a_name_for_DNS()
    {
        await using var app = await StartAsync("http://web:8080/base", Configuration());

        await app.Client.GetAsync("/");

        Assert.Equal("http://web:8080/base", Assert.Single((await app.OutcomeAsync()).AvailableDestinations).Config.Address);
    }

    [Fact]
    public async Task Endpoints_of_all_kinds_are_destinations()
    {
        var provider = new Provider(
            ServiceEndpoint.Create(new IPEndPoint(IPAddress.Parse("10.0.0.1"), 8080)),
            ServiceEndpoint.Create(new IPEndPoint(IPAddress.Parse("fd00::1"), 0)),
            ServiceEndpoint.Create(new DnsEndPoint("web", 8080)),
            ServiceEndpoint.Create(new UnixDomainSocketEndPoint("/run/orders.sock")),
            Named(ServiceEndpoint.Create(new IPEndPoint(IPAddress.Parse("10.0.0.2"), 8080)), "orders.example"));
        await using var app = await StartAsync("https+http://orders/base", Configuration(), services => services.AddSingleton<IServiceEndpointProviderFactory>(provider));

        await app.Client.GetAsync("/");
        var found = (await app.OutcomeAsync()).AvailableDestinations.Select(d => (d.Config.Address, d.Config.Host)).ToArray();

        Assert.Equal(
            [("https://10.0.0.1:8080/base", null), ("https://[fd00::1]:443/base", null), ("https://web:8080/base", null), ("https://unix:/run/orders.sock:/base", null), ("https://10.0.0.2:8080/base", "orders.example")],
            found);
    }

    [Fact]
    public async Task Only_allowed_schemes_are_spoken()
    {
        await using var app = await StartAsync("https+http://orders", Configuration(),
            services => services.AddSingleton<IServiceEndpointProviderFactory>(new Provider(ServiceEndpoint.Create(new IPEndPoint(IPAddress.Parse("10.0.0.1"), 8080))))
                .Configure<ServiceDiscoveryOptions>(o => (o.AllowAllSchemes, o.AllowedSchemes) = (false, ["http"])));

        Assert.StartsWith("10.0.0.1", await app.Client.GetStringAsync("/"), StringComparison.Ordinal);
        await app.OutcomeAsync();
        var errors = await Misconfigured.ErrorsAsync(
            services => services.Configure<ServiceDiscoveryOptions>(o => (o.AllowAllSchemes, o.AllowedSchemes) = (false, ["http"])).AddReverseProxy().AddServiceDiscovery(),
            app => app.MapProxy("/", "https://orders").WithDiscovery("ServiceDiscovery"));
        Assert.Equal("Cluster '/': 'https://orders': the schemes of a service are http and https, as far as ServiceDiscoveryOptions.AllowedSchemes lets them.", Assert.Single(errors));
    }

    [Theory]
    [InlineData("ftp://orders", "the schemes of a service are http and https")]
    [InlineData("http://orders?x", "is not the name of a service, such as https+http://orders.")]
    public async Task What_is_no_name_of_a_service_is_an_error(string address, string expected)
    {
        var errors = await Misconfigured.ErrorsAsync(services => services.AddReverseProxy().AddServiceDiscovery(), app => app.MapProxy("/", address).WithDiscovery("ServiceDiscovery"));

        Assert.Contains(expected, Assert.Single(errors), StringComparison.Ordinal);
    }

    private static ServiceEndpoint Named(ServiceEndpoint endpoint, string name)
    {
        endpoint.Features.Set<IHostNameFeature>(new HostName(name));
        return endpoint;
    }

    private static IConfiguration Configuration(params (string Key, string Value)[] values) =>
        new ConfigurationBuilder().AddInMemoryCollection(values.ToDictionary(v => v.Key, v => (string?)v.Value)).Build();

    private static Task<ProxyApp> StartAsync(string address, IConfiguration configuration, Action<IServiceCollection>? services = null) => ProxyApp.StartAsync(
        all =>
        {
            all.AddSingleton(configuration);
            services?.Invoke(all);
            all.AddReverseProxy().AddServiceDiscovery();
            all.AddProxyTestDestinations(DiscoveryApp.Destinations(_ => { }));
        },
        app => app.MapProxy("/{**path}", address).WithDiscovery("ServiceDiscovery"));

    private sealed record HostName(string Name) : IHostNameFeature
    {
        string IHostNameFeature.HostName => Name;
    }

    private sealed class Provider(params ServiceEndpoint[] endpoints) : IServiceEndpointProviderFactory, IServiceEndpointProvider
    {
        public bool TryCreateProvider(ServiceEndpointQuery query, [NotNullWhen(true)] out IServiceEndpointProvider? provider)
        {
            provider = this;
            return true;
        }

        public ValueTask PopulateAsync(IServiceEndpointBuilder builder, CancellationToken cancellationToken)
        {
            foreach (var endpoint in endpoints)
                builder.Endpoints.Add(endpoint);
            builder.AddChangeToken(new CancellationChangeToken(CancellationToken.None));
            return default;
        }

        public ValueTask DisposeAsync() => default;
    }
}
