using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using ProxyKit.Compression;
using ProxyKit.Forwarding;

namespace ProxyKit.Caching;

/// <summary>
/// The cache stage: answers from the store what is fresh there; asks the upstream for all else, once for all who ask at the same time. This file is the short way of a hit, and what goes past the cache;
/// all else is in <see cref="CacheRequest"/>.
/// </summary>
internal sealed class CacheStage
{
    // Frameworks that heed them answer a GET as if it were another method.
    private static readonly string[] s_methodOverrides = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"];

    private readonly RequestDelegate _next;
    private readonly CacheKey _key;
    private readonly ResponseCompression? _compression;
    private readonly Func<HttpContext, bool>? _bypass;
    private readonly Func<HttpContext, bool>? _noStore;

    public CacheStage(string zone, RequestDelegate next, CacheConfig config, CacheServices services, PathForwarding forwarding, string? coding = null, UpstreamFields? upstream = null, ResponseCompression? compression = null)
    {
        (Zone, _next, Config, Services, Coding) = (zone, next, config, services, coding);
        Store = services.Store(config.Store);
        Policy = new(config, upstream, decodes: compression is { Decodes: true });
        _compression = coding is null ? compression : null;
        Delivery = new(this);
        _key = new(zone, config.Key, forwarding, upstream);
        _bypass = CacheCondition.Compile(config.Bypass);
        _noStore = CacheCondition.Compile(config.NoStore);
    }

    public string Zone { get; }

    public CacheConfig Config { get; }

    public CacheServices Services { get; }

    public IProxyCacheStore Store { get; }

    public ResponsePolicy Policy { get; }

    public CacheDelivery Delivery { get; }

    /// <summary>The content coding in which responses are stored here; null: as they come.</summary>
    public string? Coding { get; }

    /// <summary>Whether the upstream is asked for what is not compressed, whatever the client accepts: a stage above this one compresses.</summary>
    public bool AsksUncompressed => _compression is not null;

    public Task InvokeAsync(HttpContext context) => InvokeAsync(context, coded: null);

    /// <summary>For a stage above this one, which has the answer compressed and is told what it was.</summary>
    public Task InvokeForCodingAsync(HttpContext context) => InvokeAsync(context, context.Features.Get<CodedSource>());

    private Task InvokeAsync(HttpContext context, CodedSource? coded)
    {
        if (!IsCacheable(context))
            return PassAsync(context, CacheRefusal.Bypass, mayUpdate: false);
        var key = new DefaultInterpolatedStringHandler(0, 0, null, stackalloc char[256]);
        try
        {
            if (!_key.TryWrite(ref key, context, query: null, rule: null, Coding))
                return PassAsync(context, CacheRefusal.KeyTooLong);
            var finding = Store.FindAsync(key.Text, context.RequestAborted);
            if (!finding.IsCompletedSuccessfully)
                return new CacheRequest(this, context, key.Text.ToString(), coded).RunAsync(finding);
            var found = finding.Result;
            if (found.Count == 0 && Services.TryGetUncacheable(key.Text, out var refusal) && !CacheUses.RequestDirectives(context.Request).OnlyIfCached)
                return PassAsync(context, refusal);
            if (CacheSelection.Select(found, Policy.Fields(context)) is { Head.RangeStart: null } stored)
            {
                var age = CacheUses.Age(stored.Head, Services.Time.GetUtcNow());
                if (CacheUses.Decide(stored.Head, age, CacheUses.RequestDirectives(context.Request), Config) == CacheUse.Fresh)
                {
                    var opening = stored.OpenAsync(context.RequestAborted);
                    if (opening.IsCompletedSuccessfully && opening.Result is { } body)
                        return Delivery.DeliverAsync(context, stored, body, age, CacheResult.Hit, coded);
                }
            }
            return new CacheRequest(this, context, key.Text.ToString(), coded).RunAsync(new(found));
        }
        finally
        {
            key.Clear();
        }
    }

    /// <summary>The upstream's answer, whatever it is, without the cache.</summary>
    public Task PassAsync(HttpContext context, CacheRefusal refusal) => PassAsync(context, refusal, mayUpdate: true);

    // mayUpdate: whether what a HEAD gets says something about what all others would get.
    private Task PassAsync(HttpContext context, CacheRefusal refusal, bool mayUpdate)
    {
        if (Coding is not null)
            return _next(context); // the stage below is asked, and has its own to tell
        if (context.GetProxyContext() is { } proxy)
            (proxy.CacheResult, proxy.CacheRefusal) = (CacheResult.Bypass, refusal);
        Services.Metrics.Answered(Zone, CacheResult.Bypass);
        mayUpdate &= HttpMethods.IsHead(context.Request.Method) && context.Request.Headers.Range.Count == 0 && !Refuses(context);
        if (mayUpdate)
            context.GetProxyContext()?.RecordsSentFields = true;
        if (mayUpdate && AsksUncompressed)
            context.Request.Headers.AcceptEncoding = "identity"; // what is stored was asked for so
        var pass = new CachePass(this, refusal, mayUpdate);
        context.Response.OnStarting(static state => ((CachePass, HttpContext))state is var (pass, context) ? pass.StartingAsync(context) : Task.CompletedTask, (pass, context));
        return _next(context);
    }

    /// <summary>Where the route compresses: says of a response that other clients get it compressed (RFC 9110 §12.5.5), before a 304 loses the fields that tell. <paramref name="length"/>: the body's.</summary>
    public void AddVary(HttpContext context, long? length)
    {
        var response = context.Response;
        var status = response.StatusCode == StatusCodes.Status304NotModified && response.Headers.ContentType.Count > 0 ? StatusCodes.Status200OK : response.StatusCode;
        if (_compression is { } compression && compression.IsUsedFor(context.Request) && compression.DependsOnRequest(status, response.Headers, length))
            ContentFields.Vary(response.Headers);
    }

    /// <summary>The rest of the pipeline, for a request of the cache's own.</summary>
    public Task RunNextAsync(HttpContext detached) => _next(detached);

    /// <summary>Whether the route says that what answers this request is not stored.</summary>
    public bool Refuses(HttpContext context) => _noStore?.Invoke(context) == true;

    /// <summary>The key of a request. <paramref name="query"/>: in the place of its own. <paramref name="rule"/>: by which that is normalised.</summary>
    public string? KeyOf(HttpContext context, string? query, NoVarySearch? rule = null)
    {
        var key = new DefaultInterpolatedStringHandler(0, 0, null, stackalloc char[256]);
        try
        {
            return _key.TryWrite(ref key, context, query, rule, Coding) ? key.Text.ToString() : null;
        }
        finally
        {
            key.Clear();
        }
    }

    /// <summary>The keys under which a response may be stored whose <c>No-Vary-Search</c> makes it the response to this request, too.</summary>
    public IEnumerable<string> RuleKeys(HttpContext context)
    {
        if (Services.NoVarySearch.IsEmpty || KeyOf(context, "") is not { } withoutQuery)
            yield break;
        foreach (var rule in Services.NoVarySearch.Find(CacheInvalidation.UrlOf(withoutQuery)))
        {
            if (KeyOf(context, rule.Normalize(context.Request.QueryString.Value ?? ""), rule) is { } key)
                yield return key;
        }
    }

    /// <summary>What is stored for a request, and under which key. <paramref name="found"/>: what there is under its own.</summary>
    public async ValueTask<StoredResponse> SelectAsync(HttpContext context, string key, IReadOnlyList<CachedResponse> found, CancellationToken cancellationToken)
    {
        var own = CacheSelection.Select(found, Policy.Fields(context));
        if (own is { Head.RangeStart: null })
            return new(key, own);
        foreach (var other in RuleKeys(context))
        {
            if (CacheSelection.Select(await Store.FindAsync(other, cancellationToken), Policy.Fields(context)) is { } stored)
                return new(other, stored);
        }
        return new(key, own);
    }

    /// <summary>How the keys of a URL begin: its own, then those of the rules that it is found by.</summary>
    public IEnumerable<string> UrlKeys(Uri url) => _key.OfUrl(url, Services.NoVarySearch);

    /// <summary>How the keys begin that answer a request's URL.</summary>
    public IEnumerable<string> UrlKeys(HttpContext context) =>
        KeyOf(context, query: null) is { } key ? RuleKeys(context).Prepend(key).Select(CacheInvalidation.UrlOf) : [];

    /// <summary>Remembers that a response could not be stored, if it is likely that the next cannot either.</summary>
    public void RememberUncacheable(string key, CacheRefusal refusal)
    {
        if (refusal is not (CacheRefusal.MinUses or CacheRefusal.NoStoreCondition or CacheRefusal.RequestNoStore or CacheRefusal.Authorization or CacheRefusal.Partial or CacheRefusal.Store))
            Services.RememberUncacheable(key, refusal, Config.UncacheableTimeToLive);
    }

    /// <summary>What a HEAD has said of what is stored (RFC 9111 §4.3.5): it is still the same, or it is not.</summary>
    public async ValueTask UpdateFromHeadAsync(HttpContext context)
    {
        var response = context.Response;
        if (response.StatusCode != StatusCodes.Status200OK || KeyOf(context, query: null) is not { } key)
            return;
        (key, var found) = await SelectAsync(context, key, await Store.FindAsync(key, CancellationToken.None), CancellationToken.None);
        if (found is not { Head: { StatusCode: StatusCodes.Status200OK } head } stored)
            return;
        var now = Services.Time.GetUtcNow();
        var updated = response.ContentLength is { } length && length != stored.Length ? null
            : CacheValidation.Update(head, context.Request, response, context.GetProxyContext()?.AccelExpires, now, now, Policy);
        if (updated is { Refusal: CacheRefusal.None } valid)
            await Store.UpdateAsync(key, stored, valid.Head, CancellationToken.None);
        else if (updated is not { LeavesStored: true })
            await Store.UpdateAsync(key, stored, head with { IsInvalid = true }, CancellationToken.None);
    }

    // RFC 9111 §3: only what is understood. A GET with a body means what its origin says it means.
    private bool IsCacheable(HttpContext context)
    {
        var request = context.Request;
        if (!(HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method)) || request.Headers.Upgrade.Count > 0 || Forwarder.MayHaveBody(context))
            return false;
        foreach (var (name, _) in request.Headers)
        {
            if (name.Length > 0 && name[0] is 'X' or 'x' && IsMethodOverride(name))
                return false;
        }
        return _bypass?.Invoke(context) != true;
    }

    // CGI and WSGI servers fold all that is no letter or digit to one character, such as _ or a dot.
    private static bool IsMethodOverride(string name)
    {
        foreach (var other in s_methodOverrides)
        {
            if (other.Length == name.Length && IsSame(name, other))
                return true;
        }
        return false;

        static bool IsSame(string name, string other)
        {
            for (var i = 0; i < name.Length; i++)
            {
                if (char.IsAsciiLetterOrDigit(name[i]) ? char.ToLowerInvariant(name[i]) != char.ToLowerInvariant(other[i]) : other[i] != '-')
                    return false;
            }
            return true;
        }
    }
}

/// <summary>A stored response, if there is one, and the key under which it is.</summary>
internal readonly record struct StoredResponse(string Key, CachedResponse? Response);
