using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Caching;

/// <summary>What <see cref="IProxyCache"/> promises.</summary>
internal sealed class ProxyCache(CacheServices services, CacheEndpoints endpoints, IServiceScopeFactory scopes) : IProxyCache
{
    public ValueTask<long> PurgeAsync(Uri url, CachePurgeMode mode) => services.PurgeUrlAsync(Absolute(url, nameof(url)), IsSoft(mode));

    public async ValueTask<long> PurgePrefixAsync(Uri prefix, CachePurgeMode mode)
    {
        Absolute(prefix, nameof(prefix));
        long count = 0;
        foreach (var zone in services.Zones.All)
            count += await services.PurgeManyAsync(zone.Store, new(CachePurgeKind.Prefix, zone.UrlKeys(prefix).First(), IsSoft(mode)));
        return count;
    }

    public ValueTask<long> PurgeTagAsync(string tag, CachePurgeMode mode)
    {
        ArgumentException.ThrowIfNullOrEmpty(tag);
        return services.PurgeTagAsync(tag, IsSoft(mode));
    }

    public ValueTask<long> PurgeAllAsync(CachePurgeMode mode) => services.PurgeManyAsync(new CachePurge(CachePurgeKind.All, "", IsSoft(mode)));

    public async Task<IReadOnlyList<int>> WarmUpAsync(IEnumerable<Uri> urls, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(urls);
        var statuses = new List<int>();
        foreach (var url in urls.Select(url => Absolute(url, nameof(urls))).ToArray())
        {
            cancellationToken.ThrowIfCancellationRequested();
            statuses.Add(await WarmUpAsync(url, cancellationToken));
        }
        return statuses;
    }

    private async Task<int> WarmUpAsync(Uri url, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var context = new DefaultHttpContext { RequestServices = scope.ServiceProvider, RequestAborted = cancellationToken };
        var request = context.Request;
        request.Method = HttpMethods.Get;
        request.Scheme = url.Scheme;
        request.Host = new(url.Authority); // without the scheme's own port, as in what clients send
        request.Path = PathString.FromUriComponent(url);
        request.QueryString = QueryString.FromUriComponent(url);
        request.Protocol = HttpProtocol.Http11;
        context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget = url.PathAndQuery;
        context.Response.Body = Stream.Null;
        if (endpoints.Find(context) is not { RequestDelegate: { } answer } endpoint)
            return StatusCodes.Status404NotFound;
        context.SetEndpoint(endpoint);
        await answer(context);
        await context.Response.CompleteAsync();
        return context.Response.StatusCode;
    }

    private static bool IsSoft(CachePurgeMode mode) => mode == CachePurgeMode.MarkInvalid;

    private static Uri Absolute(Uri url, string name)
    {
        ArgumentNullException.ThrowIfNull(url, name);
        return url.IsAbsoluteUri ? url : throw new ArgumentException($"'{url}' is not absolute; a scheme and a host are needed, such as https://example.com/.", name);
    }
}
