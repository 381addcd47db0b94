using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Forwarding;
using ProxyKit.SessionAffinity;

namespace ProxyKit.Caching;

/// <summary>Whether a response is stored, and how long it is fresh (RFC 9111 §3, §4.2).</summary>
internal sealed class ResponsePolicy(CacheConfig config, UpstreamFields? upstream = null, bool decodes = false)
{
    /// <summary>What the upstream is told of itself by who believes <see cref="SurrogateControl"/>.</summary>
    public const string SurrogateCapability = "Surrogate-Capability";

    private const string SurrogateControl = "Surrogate-Control";

    private static readonly TimeSpan s_maxHeuristic = TimeSpan.FromDays(1);

    private readonly StatusTimeTable _statusTimes = new(config.StatusTimeToLive);

    public CacheConfig Config => config;

    /// <summary>A request's fields, as the upstream is sent them.</summary>
    public RequestFields Fields(HttpContext context) => new(context, upstream, config.CheckAcceptEncoding && !decodes);

    /// <summary>
    /// Looks at a response's status and fields. Fields that are for this cache alone (<c>Surrogate-Control</c> where it is believed, the tag field) are taken off <paramref name="response"/>; the
    /// client sees the rest.
    /// </summary>
    /// <param name="request">The request as the client sent it.</param>
    /// <param name="response">The response's status and header section.</param>
    /// <param name="accelExpires">The value of <c>X-Accel-Expires</c>; null when there was none.</param>
    /// <param name="requestTime">When the request was made.</param>
    /// <param name="responseTime">When the header section was there.</param>
    public StorePlan Plan(HttpRequest request, HttpResponse response, string? accelExpires, DateTimeOffset requestTime, DateTimeOffset responseTime)
    {
        var headers = response.Headers;
        var own = TakeOwnFields(request, headers);
        var status = response.StatusCode;
        if (!HttpMethods.IsGet(request.Method))
            return new(null, CacheRefusal.Bypass);
        var instructions = CacheInstructions.Of(headers, own.Surrogate, accelExpires, responseTime, config);
        if (FindRefusal(request, status, headers, instructions.Directives) is not CacheRefusal.None and var refusal)
            return new(null, refusal);
        ContentRange part = default;
        var isPart = status == StatusCodes.Status206PartialContent;
        if (isPart && (!ContentRange.TryParse(headers.ContentRange, out part) || (headers.ContentLength is { } length && length != part.Count)))
            return new(null, CacheRefusal.Partial);
        var stored = StoredHeaders.Of(headers, instructions.Directives.Fields, isPart, responseTime);
        if (isPart && !Validators.HasStrong(stored))
            return new(null, CacheRefusal.Partial);
        refusal = FindFreshness(status, headers, Validators.HasAny(stored), instructions, requestTime, responseTime, out var freshness);
        if (refusal != CacheRefusal.None)
            return new(null, refusal);
        var head = new CachedResponseHead
        {
            StatusCode = status,
            Headers = stored,
            Vary = Vary(headers, request),
            RequestTime = requestTime,
            ResponseTime = responseTime,
            Freshness = freshness,
            Tags = own.Tags,
            RangeStart = isPart ? part.Start : null,
            CompleteLength = isPart ? part.CompleteLength : null,
        };
        return new(head, CacheRefusal.None) { PartLength = isPart ? part.Count : null };
    }

    /// <summary>The request's values that the response depends on.</summary>
    internal ValueList<KeyValuePair<string, string?>> Vary(IHeaderDictionary headers, HttpRequest request)
    {
        var vary = headers.Vary;
        // Links and cookies were made for this request's host, by the upstream or by the proxy, which has them lead through itself.
        if (config.Key.IgnoreHost && (headers.Location.Count > 0 || headers.SetCookie.Count > 0 || headers.ContainsKey("Content-Location") || headers.ContainsKey("Refresh")))
            vary = StringValues.Concat(vary, "host");
        return CacheSelection.Vary(vary, headers.ContentEncoding, Fields(request.HttpContext), config.IgnoreLanguageOrder);
    }

    /// <summary>Takes off a response what is for this cache alone.</summary>
    internal (ValueList<string> Tags, CacheDirectives? Surrogate) TakeOwnFields(HttpRequest request, IHeaderDictionary headers)
    {
        CacheDirectives? surrogate = null;
        if (config.SurrogateControl && headers.TryGetValue(SurrogateControl, out var lines))
        {
            headers.Remove(SurrogateControl);
            surrogate = TargetedDirectives.ParseSurrogate(lines, config.SurrogateName);
        }
        return (CacheTags.Take(request, headers, config), surrogate);
    }

    /// <summary>What forbids to store the response, whatever its age.</summary>
    internal CacheRefusal FindRefusal(HttpRequest request, int status, IHeaderDictionary headers, CacheDirectives directives)
    {
        // A 416 is about the range that was asked for, which is no part of the key.
        if (!StatusCodeRules.IsFinal(status) || (status == StatusCodes.Status416RangeNotSatisfiable && request.Headers.Range.Count > 0))
            return CacheRefusal.Status;
        if (config.AllowClientRefresh && CacheUses.RequestDirectives(request).NoStore)
            return CacheRefusal.RequestNoStore;
        if (directives.MustUnderstand && !StatusCodeRules.IsUnderstood(status))
            return CacheRefusal.MustUnderstand;
        // RFC 9111 §5.2.2.3: no-store beside must-understand is for caches that do not know it.
        if (directives.NoStore && !directives.MustUnderstand)
            return CacheRefusal.ResponseNoStore;
        if (directives.Private)
            return CacheRefusal.Private;
        if (request.Headers.Authorization.Count > 0 && !AllowsAuthorization(directives))
            return CacheRefusal.Authorization;
        if (FindChange(request.HttpContext, headers, directives) is not CacheRefusal.None and var change)
            return change;
        if (headers.SetCookie.Count > 0 && !config.StoreSetCookie && !Names(directives.Fields, "Set-Cookie"))
            return CacheRefusal.SetCookie;
        if (!CacheSelection.CanSelect(headers.Vary))
            return CacheRefusal.VaryStar;
        if (IsStream(headers.ContentType))
            return CacheRefusal.Stream;
        if (headers.ContentLength > config.MaxEntrySize)
            return CacheRefusal.TooLarge;
        return config.CheckContentType && StaticContentTypes.IsMismatch(request, status, headers.ContentType) ? CacheRefusal.ContentType : CacheRefusal.None;
    }

    /// <summary>How long the response is fresh; or why it is not worth storing.</summary>
    internal CacheRefusal FindFreshness(
        int status, IHeaderDictionary headers, bool hasValidator, CacheInstructions instructions, DateTimeOffset requestTime, DateTimeOffset responseTime, out CacheFreshness freshness)
    {
        var directives = instructions.Directives;
        var age = config.InvalidAgeIsStale && !AgeHeader.IsValid(headers.Age) ? DeltaSeconds.From(DeltaSeconds.Max) : ResponseAge.Initial(headers, requestTime, responseTime);
        var lifetime = Lifetime(status, headers, instructions, age, responseTime);
        var forbidsStale = directives.ForbidsStale;
        freshness = new()
        {
            Lifetime = lifetime ?? TimeSpan.Zero,
            InitialAge = age,
            MustRevalidate = forbidsStale,
            NoCache = directives.NoCache,
            StaleWhileRevalidate = forbidsStale ? TimeSpan.Zero : directives.StaleWhileRevalidate ?? config.StaleWhileRevalidate,
            StaleIfError = forbidsStale ? TimeSpan.Zero : directives.StaleIfError ?? config.StaleIfError,
        };
        if (lifetime is null && !directives.Public && !StatusCodeRules.IsHeuristicallyCacheable(status))
            return CacheRefusal.Status;
        if (hasValidator || (!directives.NoCache && age < freshness.Lifetime))
            return CacheRefusal.None;
        if (lifetime is null)
            return CacheRefusal.NoFreshness;
        // It is stale, and cannot be validated; that the response itself allows it to be served so makes it worth something.
        var stale = age - freshness.Lifetime;
        var mayBeServed = !directives.NoCache && !forbidsStale && (stale < freshness.StaleWhileRevalidate || stale < directives.StaleIfError);
        return mayBeServed ? CacheRefusal.None : CacheRefusal.Stale;
    }

    /// <summary>RFC 9111 §4.2.1, §4.2.2; null where nothing says how long. What counts from now on, by configuration or <c>X-Accel-Expires</c>, has the age that the response came with on top.</summary>
    private TimeSpan? Lifetime(int status, IHeaderDictionary headers, CacheInstructions instructions, TimeSpan age, DateTimeOffset responseTime)
    {
        if (instructions.KeepFor is { } keepFor)
            return keepFor + age;
        if (instructions.Directives.Lifetime is { } lifetime)
            return lifetime;
        var date = ResponseAge.Date(headers, responseTime);
        if (instructions.HeedsExpires && headers.Expires is { Count: > 0 } expires)
            return HttpDates.TryParse(expires, responseTime, out var end) && end > date ? Least(end - date, DeltaSeconds.From(DeltaSeconds.Max)) : TimeSpan.Zero;
        if (_statusTimes.Of(status) is { } statusTime)
            return statusTime + age;
        if (!StatusCodeRules.IsHeuristicallyCacheable(status) && !instructions.Directives.Public)
            return null;
        if (config.DefaultTimeToLive is { } defaultTime && StatusCodeRules.IsHeuristicallyCacheable(status))
            return defaultTime + age;
        if (config.HeuristicFraction > 0 && HttpDates.TryParse(headers.LastModified, responseTime, out var modified) && modified < date)
            return Least((date - modified) * config.HeuristicFraction, s_maxHeuristic);
        return null;
    }

    // What the upstream was really sent, by delegates, handlers and affinity too, against what the cache looks up.
    private CacheRefusal FindChange(HttpContext context, IHeaderDictionary headers, CacheDirectives directives)
    {
        if (upstream is null || context.GetProxyContext() is not { RecordsSentFields: true } proxy)
            return CacheRefusal.None;
        if (proxy.SentFields is not { } sent)
            return CacheRefusal.Status; // the proxy's own response
        var fields = Fields(context);
        // A token that is added to each user's request makes it one with Authorization (RFC 9111 §3.5).
        if (!AllowsAuthorization(directives) && IsChanged("authorization", fields, sent) && sent["Authorization"].Count > 0)
            return CacheRefusal.Authorization;
        if (sent.IsRetargeted)
            return CacheRefusal.RequestChanged;
        // Each of them, so that all that change are known.
        var isChanged = false;
        foreach (var name in new FieldList(headers.Vary))
            isChanged |= !IsSent(name.ToString().ToLowerInvariant(), fields, sent);
        foreach (var name in config.Key.Headers.AsSpan())
            isChanged |= !IsSent(name.ToLowerInvariant(), fields, sent);
        if (isChanged)
            return CacheRefusal.RequestChanged;
        foreach (var name in config.Key.Cookies.AsSpan())
        {
            if (!CookieHeader.Find(fields["Cookie"], name).SequenceEqual(CookieHeader.Find(sent["Cookie"], name)))
                return CacheRefusal.RequestChanged;
        }
        return CacheRefusal.None;
    }

    // Whether the upstream was sent what the cache looks up, and is always.
    private bool IsSent(string name, RequestFields fields, SentFields sent)
    {
        if (IsChanged(name, fields, sent))
            upstream!.SetChanged(name);
        return fields.IsKnown(name);
    }

    private static bool IsChanged(string name, RequestFields fields, SentFields sent) =>
        name != "host" && VaryValues.Normalize(name, fields[name], default, ignoresLanguageOrder: false) != VaryValues.Normalize(name, sent[name], default, ignoresLanguageOrder: false);

    private static bool AllowsAuthorization(CacheDirectives directives) => directives.Public || directives.MustRevalidate || directives.SharedMaxAge is not null;

    private static bool IsStream(StringValues contentType) =>
        contentType is [{ } type, ..] &&
        (type.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) || type.StartsWith("multipart/x-mixed-replace", StringComparison.OrdinalIgnoreCase));

    private static bool Names(IReadOnlyList<string> fields, string name)
    {
        foreach (var field in fields)
        {
            if (field.Equals(name, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;
}

/// <summary>What is done with a response.</summary>
/// <param name="Head">What is stored; null where nothing is.</param>
/// <param name="Refusal">Why nothing is.</param>
internal readonly record struct StorePlan(CachedResponseHead? Head, CacheRefusal Refusal)
{
    /// <summary>The length that the body of a part must have, by its <c>Content-Range</c>; with another one it is not whole.</summary>
    public long? PartLength { get; init; }
}
