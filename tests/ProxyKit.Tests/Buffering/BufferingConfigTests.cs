using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.Buffering;

public class BufferingConfigTests
{
    [Fact]
    public async Task Steps_and_JSON_say_the_same()
    {
        await using var app = await ProxyApp.StartAsync(
            services => services.AddReverseProxy().LoadFromConfig(Misconfigured.Json(
                "{'Routes':{'json':{'ClusterId':'c','Match':{'Path':'/json'},'Buffering':{'Request':{'Enabled':true,'MemoryThreshold':1,'IdleTimeout':'00:00:02','MinDataRate':3.5,'MinDataRateGracePeriod':'00:00:04'},"
                + "'Response':{'Enabled':true,'MemoryThreshold':5000,'MaxSize':6000}}}},'Clusters':{'c':{'Destinations':{'d':{'Address':'http://c'}}}}}")),
            app =>
            {
                app.MapReverseProxy();
                app.MapProxy("/code", "http://a").WithBuffering(b =>
                {
                    (b.Request.MemoryThreshold, b.Request.IdleTimeout, b.Request.MinDataRate, b.Request.MinDataRateGracePeriod) = (1, TimeSpan.FromSeconds(2), 3.5, TimeSpan.FromSeconds(4));
                    (b.Response.MemoryThreshold, b.Response.MaxSize) = (5000, 6000);
                });
                app.MapProxy("/steps", "http://b")
                    .WithResponseBuffering(b => b.MaxSize = 6000)
                    .WithRequestBuffering(b => (b.MemoryThreshold, b.IdleTimeout) = (1, TimeSpan.FromSeconds(2)))
                    .WithRequestBuffering(b => (b.MinDataRate, b.MinDataRateGracePeriod) = (3.5, TimeSpan.FromSeconds(4)))
                    .WithResponseBuffering(b => b.MemoryThreshold = 5000);
                app.MapProxy("/both", "http://e").WithBuffering();
                app.MapProxy("/request", "http://f").WithRequestBuffering();
                app.MapProxy("/response", "http://g").WithResponseBuffering();
                app.MapProxy("/off", "http://h").WithBuffering(b => b.Request.Enabled = b.Response.Enabled = false);
                app.MapProxy("/none", "http://i");
            });
        BufferingConfig? Of(string id) => app.Services.GetRequiredService<ProxyConfigMonitor>().Routes.Single(r => r.RouteId == id).Buffering;

        Assert.NotNull(Of("json"));
        Assert.Equal(Of("json"), Of("/code"));
        Assert.Equal(Of("json"), Of("/steps"));
        Assert.Equal((true, true), (Of("/both")!.Request.Enabled, Of("/both")!.Response.Enabled));
        Assert.Equal((true, null), (Of("/request")!.Request.Enabled, Of("/request")!.Response.Enabled));
        Assert.Equal((null, true), (Of("/response")!.Request.Enabled, Of("/response")!.Response.Enabled));
        Assert.Equal((false, false), (Of("/off")!.Request.Enabled, Of("/off")!.Response.Enabled));
        Assert.Null(Of("/none"));
    }

    [Fact]
    public async Task Values_out_of_range_are_named_all_at_once()
    {
        var errors = await Misconfigured.ErrorsAsync(
            services => services.AddReverseProxy(o => (o.Buffering.MaxMemory, o.Buffering.MaxDisk, o.Buffering.MaxClientShare) = (-1, -2, 1.5)),
            app =>
            {
                app.MapProxy("/low", "http://a").WithBuffering(b =>
                {
                    (b.Request.MemoryThreshold, b.Request.IdleTimeout, b.Request.MinDataRate, b.Request.MinDataRateGracePeriod) = (-1, TimeSpan.Zero, -1, TimeSpan.FromSeconds(-1));
                    (b.Response.MemoryThreshold, b.Response.MaxSize) = (4095, 4094);
                });
                app.MapProxy("/high", "http://b").WithBuffering(b =>
                {
                    (b.Request.MemoryThreshold, b.Request.IdleTimeout, b.Request.MinDataRate) = ((1 << 30) + 1, TimeSpan.FromDays(25), double.NaN);
                    b.Response.MemoryThreshold = (1 << 30) + 1;
                });
            });

        Assert.Equal(14, errors.Count);
        Assert.Contains("ReverseProxyOptions.Buffering.MaxMemory is -1; it must be at least 0 bytes.", errors);
        Assert.Contains("ReverseProxyOptions.Buffering.MaxDisk is -2; it must be at least 0 bytes.", errors);
        Assert.Contains("ReverseProxyOptions.Buffering.MaxClientShare is 1.5; it must be above 0 and at most 1, which is no limit.", errors);
        Assert.Contains("Route '/low': Buffering.Request.MemoryThreshold is -1; it must be 0 to 1073741824 bytes.", errors);
        Assert.Contains("Route '/low': Buffering.Request.IdleTimeout is 00:00:00; it must be positive and at most 24 days.", errors);
        Assert.Contains("Route '/low': Buffering.Request.MinDataRate is -1; it must be at least 0 bytes per second, and 0 is no limit.", errors);
        Assert.Contains("Route '/low': Buffering.Request.MinDataRateGracePeriod is -00:00:01; it must not be negative.", errors);
        Assert.Contains("Route '/low': Buffering.Response.MemoryThreshold is 4095; it must be 4096 to 1073741824 bytes.", errors);
        Assert.Contains("Route '/low': Buffering.Response.MaxSize is 4094; it must be at least MemoryThreshold, which is 4095.", errors);
        Assert.Contains("Route '/high': Buffering.Request.MemoryThreshold is 1073741825; it must be 0 to 1073741824 bytes.", errors);
        Assert.Contains("Route '/high': Buffering.Request.MinDataRate is NaN; it must be at least 0 bytes per second, and 0 is no limit.", errors);
        Assert.Contains(errors, e => e.StartsWith("Route '/high': Buffering.Request.IdleTimeout is 25.00:00:00", StringComparison.Ordinal));
        Assert.Contains(errors, e => e.StartsWith("Route '/high': Buffering.Response.MemoryThreshold", StringComparison.Ordinal));
        Assert.Contains(errors, e => e.StartsWith("Route '/high': Buffering.Response.MaxSize", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://a", true, true)]
    [InlineData("http://a", false, false)]
    public async Task A_folder_that_cannot_be_used_is_an_error_where_it_is_needed(string address, bool buffers, bool isError)
    {
        var file = Path.GetTempFileName(); // no folder
        try
        {
            async Task StartAsync()
            {
                await using var app = await ProxyApp.StartAsync(
                    services => services.AddReverseProxy(o => o.Buffering.Directory = file),
                    app =>
                    {
                        var route = app.MapProxy("/", address);
                        if (buffers)
                            route.WithRequestBuffering();
                    });
            }

            if (!isError)
            {
                await StartAsync();
                return;
            }
            var error = Assert.Single((await Assert.ThrowsAsync<ProxyConfigurationException>(StartAsync)).Errors);
            Assert.StartsWith($"ReverseProxyOptions.Buffering.Directory: '{file}' cannot hold the bodies that are buffered: ", error, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
