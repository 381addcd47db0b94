namespace ProxyKit.FastCgi;

/// <summary>A connection as an exchange sees it: a socket, or memory in tests.</summary>
internal interface IFastCgiConnection : IDisposable
{
    /// <summary>Whether an exchange went over it before: a failure before any byte of an answer may mean that the application had closed it.</summary>
    bool IsReused { get; }

    ValueTask<int> ReceiveAsync(Memory<byte> memory, CancellationToken cancellationToken);

    /// <summary>Sends all of it.</summary>
    ValueTask SendAsync(ReadOnlyMemory<byte> memory, CancellationToken cancellationToken);

    /// <summary>After END_REQUEST with nothing unread.</summary>
    void Return();
}

/// <summary>Where exchanges get their connections from.</summary>
internal interface IFastCgiConnections : IDisposable
{
    /// <summary>Whether the application is asked to leave connections open (FCGI_KEEP_CONN).</summary>
    bool KeepsConnections { get; }

    /// <summary>A connection; one that has never been used if it is to be <paramref name="fresh"/>.</summary>
    ValueTask<IFastCgiConnection> RentAsync(bool fresh, CancellationToken cancellationToken);
}
