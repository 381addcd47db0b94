using System.Buffers;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using ProxyKit.Configuration;
using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>A request, whose status and body are looked at.</summary>
internal sealed class HttpProbe(ActiveHealthCheckConfig config) : Probe
{
    private const int MaxBody = 64 * 1024;

    private readonly HttpMethod _method = new(config.Method);
    private readonly StatusRanges _expected = StatusRanges.Parse(config.ExpectedStatus);
    private readonly Regex? _pattern = config.ExpectedBodyPattern is { } pattern ? CreatePattern(pattern) : null;
    private readonly string _target = (config.Path ?? "/") + (config.Query is { Length: > 0 } query ? query[0] == '?' ? query : "?" + query : "");

    public static Regex CreatePattern(string pattern) => new(pattern, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));

    public override async Task<ProbeResult> RunAsync(Cluster cluster, Destination destination, DestinationAddress target, CancellationToken cancellationToken)
    {
        var model = cluster.Model!;
        var requests = model.Config.HttpRequest;
        using var request = new HttpRequestMessage(_method, new Uri(target.Prefix + _target))
        {
            Version = config.Version ?? requests.Version ?? (target.IsHttps ? HttpVersion.Version20 : HttpVersion.Version11),
            VersionPolicy = config.VersionPolicy ?? requests.VersionPolicy ?? HttpVersionPolicy.RequestVersionOrLower,
        };
        // Under HTTP/1.1 no connection is left idle, which would occupy a worker of some servers.
        request.Headers.ConnectionClose = target.IsFastCgi ? null : true;
        AddHeaders(request, config, destination, target);
        // php-fpm knows its ping and status pages by the script's name, and they are no files.
        if (target.IsFastCgi)
            request.Options.Set(FastCgiHandler.Parameters, [new("SCRIPT_NAME", config.Path!), new("SCRIPT_FILENAME", config.Path!)]);

        using var own = target.IsFastCgi && cluster.Handlers.CreateFastCgi(OwnConnections(model.Config)) is { } connections ? new HttpMessageInvoker(connections) : null;
        using var response = await (own ?? model.Invoker).SendAsync(request, cancellationToken);
        if (!_expected.Contains((int)response.StatusCode))
            return new($"status {(int)response.StatusCode}, expected {config.ExpectedStatus}", "status");
        if (config.ExpectedBody is null && _pattern is null)
            return ProbeResult.Success;
        return await CheckBodyAsync(response, cancellationToken);
    }

    // Not one of MaxConnections: in that queue a destination that has much to do would look as if it were down, and a probe would take a request's place.
    private static ClusterConfig OwnConnections(ClusterConfig cluster) =>
        cluster with { FastCgi = (cluster.FastCgi ?? new()) with { KeepConnections = false, MaxConnections = null } };

    private async Task<ProbeResult> CheckBodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(MaxBody);
        try
        {
            using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            var length = await stream.ReadAtLeastAsync(buffer.AsMemory(0, MaxBody), MaxBody, throwOnEndOfStream: false, cancellationToken);
            var body = Encoding.UTF8.GetString(buffer.AsSpan(0, length));
            if (config.ExpectedBody is { } text)
                return body.Contains(text, StringComparison.Ordinal) ? ProbeResult.Success : new($"the body does not contain '{text}'", "body");
            return _pattern!.IsMatch(body) ? ProbeResult.Success : new($"the body does not match '{_pattern}'", "body");
        }
        catch (RegexMatchTimeoutException)
        {
            return new($"the body took longer than a second to match '{_pattern}'", "body");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
