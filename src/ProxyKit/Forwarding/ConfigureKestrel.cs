using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace ProxyKit.Forwarding;

/// <summary>Header bytes above 0x7F pass through the server one to one, and it does not name itself.</summary>
internal sealed class ConfigureKestrel(IOptions<ReverseProxyOptions> options) : IConfigureOptions<KestrelServerOptions>
{
    public void Configure(KestrelServerOptions kestrel)
    {
        if (!options.Value.ConfigureKestrel)
            return;
        kestrel.RequestHeaderEncodingSelector = static name => name == "Connection" ? ConnectionFieldEncoding.Instance : Encoding.Latin1;
        kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
        kestrel.AddServerHeader = false;
    }
}
