using System.Net;
using System.Net.Sockets;

namespace ProxyKit.IntegrationTests.FastCgi;

/// <summary>Somebody who listens, and accepts only when told to.</summary>
internal sealed class Listener : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("proxykit-listen-").FullName;
    private readonly List<Socket> _accepted = [];
    private readonly List<Socket> _fillers = [];
    private Socket? _socket;

    /// <summary>Not yet listening.</summary>
    public Listener() => Address = $"fastcgi://unix:{Path}";

    public string Address { get; }

    public string Path => System.IO.Path.Combine(_folder, "s");

    public static Listener Start(int backlog = 100)
    {
        var listener = new Listener();
        listener.Listen(backlog);
        return listener;
    }

    public void Listen(int backlog = 100)
    {
        _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _socket.Bind(new UnixDomainSocketEndPoint(Path));
        _socket.Listen(backlog);
    }

    /// <summary>Takes up all room that there is for connections which are not accepted.</summary>
    public async Task FillAsync()
    {
        while (true)
        {
            var filler = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            _fillers.Add(filler);
            try
            {
                await filler.ConnectAsync(new UnixDomainSocketEndPoint(Path));
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.WouldBlock)
            {
                return;
            }
        }
    }

    public async Task<Socket> AcceptAsync()
    {
        var accepted = await _socket!.AcceptAsync().WaitAsync(TimeSpan.FromSeconds(10));
        _accepted.Add(accepted);
        return accepted;
    }

    /// <summary>Whether nobody has connected who is not accepted.</summary>
    public bool IsQuiet => !_socket!.Poll(0, SelectMode.SelectRead);

    /// <summary>Waits until the other side has closed.</summary>
    public static async Task ClosedAsync(Socket accepted)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        Assert.Equal(0, await accepted.ReceiveAsync(new byte[1], limit.Token));
    }

    public static bool IsOpen(Socket accepted) => !accepted.Poll(0, SelectMode.SelectRead);

    public void Dispose()
    {
        _socket?.Dispose();
        foreach (var socket in _accepted.Concat(_fillers))
            socket.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
