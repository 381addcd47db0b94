using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace ProxyKit.Forwarding;

/// <summary>Header bytes above 0x7F pass through the server one to one, it does not name itself, and one piece of a body is sent while the next is written.</summary>
internal sealed class ConfigureKestrel(IOptions<ReverseProxyOptions> options) : IConfigureOptions<KestrelServerOptions>, IPostConfigureOptions<SocketTransportOptions>
{
    public void Configure(KestrelServerOptions kestrel)
    {
        if (!options.Value.ConfigureKestrel)
            return;
        kestrel.RequestHeaderEncodingSelector = static name => name == "Connection" ? ConnectionFieldEncoding.Instance : Encoding.Latin1;
        kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
        kestrel.AddServerHeader = false;
    }

    public void PostConfigure(string? name, SocketTransportOptions sockets)
    {
        // Bodies are written in pieces of 64 KB. With Kestrel's default, which is as long, each of them waits until the client has taken it.
        if (options.Value.ConfigureKestrel && sockets.MaxWriteBufferSize == 64 * 1024)
            sockets.MaxWriteBufferSize = 128 * 1024;
    }
}
