using System.Collections.Concurrent;

namespace ProxyKit.Forwarding;

/// <summary>
/// Keeps idle TLS connections for a bounded number of host names. <see cref="SocketsHttpHandler"/> has a pool for each name in SNI, which with UseOriginalHost the client
/// chooses: without a limit each name that a client makes up would leave an idle connection. Requests for further names get connections that are closed after the response.
/// </summary>
internal sealed class TlsHostLimit(SocketsHttpHandler kept, Func<SocketsHttpHandler> createUnkept, TimeSpan idleTimeout, TimeProvider time) : HttpMessageHandler
{
    private const int MaxHosts = 100;

    private readonly ConcurrentDictionary<string, long> _hosts = new(); // the pools tell names apart by case as well
    private readonly HttpMessageInvoker _kept = new(kept);
    private readonly Lazy<HttpMessageInvoker> _unkept = new(() => new(createUnkept()));
    private readonly Lock _lock = new();

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        (request.RequestUri?.Scheme != Uri.UriSchemeHttps || request.Headers.Host is not { } host || IsKept(host) ? _kept : _unkept.Value).SendAsync(request, cancellationToken);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _kept.Dispose();
            if (_unkept.IsValueCreated)
                _unkept.Value.Dispose();
        }
        base.Dispose(disposing);
    }

    private bool IsKept(string host)
    {
        var now = time.GetTimestamp();
        if (_hosts.ContainsKey(host))
        {
            _hosts[host] = now;
            return true;
        }
        lock (_lock)
        {
            if (_hosts.Count >= MaxHosts)
            {
                foreach (var (other, used) in _hosts)
                {
                    if (idleTimeout != Timeout.InfiniteTimeSpan && time.GetElapsedTime(used, now) > idleTimeout)
                        _hosts.TryRemove(other, out _);
                }
            }
            return _hosts.Count < MaxHosts && _hosts.TryAdd(host, now);
        }
    }
}
