using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ProxyKit.Tests.Forwarding;

public class ConfigureKestrelTests
{
    private const int Default = 64 * 1024;

    [Theory]
    [InlineData(true, null, 128 * 1024)]
    [InlineData(true, 32 * 1024, 32 * 1024)]
    [InlineData(true, 256 * 1024, 256 * 1024)]
    [InlineData(false, null, Default)]
    public void What_is_kept_for_a_slow_client_is_twice_a_piece_unless_the_app_says_otherwise(bool configures, int? own, int expected)
    {
        Assert.Equal(Default, new SocketTransportOptions().MaxWriteBufferSize);
        var services = new ServiceCollection();
        services.AddReverseProxy(o => o.ConfigureKestrel = configures);
        services.Configure<SocketTransportOptions>(o => o.MaxWriteBufferSize = own ?? o.MaxWriteBufferSize);
        using var provider = services.BuildServiceProvider();

        Assert.Equal(expected, provider.GetRequiredService<IOptions<SocketTransportOptions>>().Value.MaxWriteBufferSize);
    }
}
