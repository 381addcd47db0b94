using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Caching;

namespace ProxyKit.Tests.Caching;

/// <summary>A request and its response, as the cache's rules see them. Both were made in the same second, unless said otherwise.</summary>
internal sealed class Exchange
{
    public static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly DefaultHttpContext _context = new();

    public Exchange(params (string Name, StringValues Value)[] response)
    {
        Request.Method = "GET";
        Request.Scheme = "https";
        Request.Host = new("example.com");
        Request.Path = "/";
        foreach (var (name, value) in response)
            Response.Headers[name] = value;
    }

    public HttpRequest Request => _context.Request;

    public HttpResponse Response => _context.Response;

    public DateTimeOffset RequestTime { get; set; } = Now;

    public DateTimeOffset ResponseTime { get; set; } = Now;

    public string? AccelExpires { get; set; }

    public CacheConfig Config { get; set; } = new();

    public Exchange Asked(params (string Name, StringValues Value)[] fields)
    {
        foreach (var (name, value) in fields)
            Request.Headers[name] = value;
        return this;
    }

    public Exchange WithStatus(int status)
    {
        Response.StatusCode = status;
        return this;
    }

    public Exchange With(CacheConfig config)
    {
        Config = config;
        return this;
    }

    public StorePlan Plan() => new ResponsePolicy(Config).Plan(Request, Response, AccelExpires, RequestTime, ResponseTime);

    /// <summary>Why it is not stored.</summary>
    public CacheRefusal Refusal()
    {
        var plan = Plan();
        Assert.Equal(plan.Head is null, plan.Refusal != CacheRefusal.None);
        return plan.Refusal;
    }

    /// <summary>What is stored.</summary>
    public CachedResponseHead Head()
    {
        var plan = Plan();
        Assert.Equal(CacheRefusal.None, plan.Refusal);
        return plan.Head!;
    }

    /// <summary>What the stored response is good for, some seconds after it came.</summary>
    public CacheUse Use(double seconds, CacheDirectives? request = null) => Use(Head(), seconds, request);

    public CacheUse Use(CachedResponseHead head, double seconds, CacheDirectives? request = null) =>
        CacheUses.Decide(head, CacheUses.Age(head, ResponseTime.AddSeconds(seconds)), request ?? CacheDirectives.None, Config);

    /// <summary>Whether it answers a request some seconds later without the upstream being asked: what the public suite calls "cached".</summary>
    public bool IsReused(double seconds) => Plan().Head is { } head && Use(head, seconds) != CacheUse.Validate;

    public static string Date(double seconds) => Now.AddSeconds(seconds).ToString("r");

    public static StringValues Lines(params string[] lines) => new(lines);

    /// <summary>A field's lines from one text, in which they are separated by "|".</summary>
    public static StringValues Split(string lines) => new(lines.Split('|'));

    public static string? Field(CachedResponseHead head, string name) => StoredHeaders.Get(head, name) is { Count: > 0 } lines ? lines.ToString() : null;
}

/// <summary>A stored response without a body.</summary>
internal sealed class Stored(CachedResponseHead head, long length = 0) : CachedResponse(head)
{
    public override long Length => length;

    public override ValueTask<CachedBody?> OpenAsync(CancellationToken cancellationToken) => throw new NotSupportedException();
}
