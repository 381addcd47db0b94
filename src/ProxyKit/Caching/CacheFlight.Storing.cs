namespace ProxyKit.Caching;

/// <content>Whether the answer is stored, as what, and where to.</content>
internal sealed partial class CacheFlight
{
    private static readonly string[] s_ofCompression = ["Content-Encoding", "ETag", "Vary"];

    // Made invalid since it was asked for: it goes to those who wait, and is not stored.
    private bool IsOutdated => _stage.Services.IsPurgedSince(Key, _requestTime) || (Key != _askedKey && _stage.Services.IsPurgedSince(_askedKey, _requestTime));

    private StorePlan Plan(string? accelExpires, DateTimeOffset now)
    {
        var plan = _stage.Policy.Plan(_context.Request, _context.Response, accelExpires, _requestTime, now);
        if (!_stage.AsksUncompressed || plan.Head is not { Vary.Count: > 0 } head)
            return plan;
        // It was asked for in one way only: whatever a client accepts, this is it.
        return plan with { Head = head with { Vary = head.Vary.Where(field => field.Key != "accept-encoding").ToValueList() } };
    }

    // What was compressed, of what the stage below could store. The rest has nothing to be kept a second time.
    private StorePlan PlanCoded()
    {
        if (_context.Features.Get<CodedSource>() is not { Head: { RangeStart: null, IsInvalid: false } source } || _context.Response.Headers.ContentEncoding != _stage.Coding)
            return new(null, CacheRefusal.Bypass);
        // What the stage below has not stored (a cookie, what is private) is the first client's; compression's own fields are new.
        var headers = _context.Response.Headers;
        var excluded = new List<string> { CacheStatusField.Name };
        foreach (var (name, _) in headers)
        {
            if (StoredHeaders.Get(source, name).Count == 0 && !s_ofCompression.Contains(name, StringComparer.OrdinalIgnoreCase))
                excluded.Add(name);
        }
        return new(Like(source with { Headers = StoredHeaders.Of(headers, excluded, isPart: false, source.ResponseTime) }, source), CacheRefusal.None);
    }

    // What is stored for this request under other keys, with another No-Vary-Search or none, is older.
    private async ValueTask RemoveOutdatedAsync()
    {
        if (_stage.Services.NoVarySearch.IsEmpty)
            return;
        foreach (var key in _stage.RuleKeys(_context).Append(_askedKey).Where(key => key != Key).Distinct())
        {
            foreach (var response in await _stage.Store.FindAsync(key, CancellationToken.None))
            {
                if (CacheSelection.Matches(response.Head.Vary, _stage.Policy.Fields(_context)))
                    await _stage.Store.RemoveAsync(key, response, CancellationToken.None);
            }
        }
    }

    private static CachedResponseHead Like(CachedResponseHead coded, CachedResponseHead source) =>
        coded with { Freshness = source.Freshness, RequestTime = source.RequestTime, ResponseTime = source.ResponseTime, IsInvalid = source.IsInvalid };

    private async ValueTask<(StorePlan Plan, CacheWriter? Writer)> OpenAsync(StorePlan plan)
    {
        var services = _stage.Services;
        if (plan.Head is not { } head)
            return (plan, null);
        _partLength = plan.PartLength;
        if (NoVarySearch.Parse(_context.Response.Headers[NoVarySearch.Field]) is { } rule && _stage.KeyOf(_context, query: "") is { } withoutQuery
            && _stage.KeyOf(_context, rule.Normalize(_context.Request.QueryString.Value ?? ""), rule) is { } ruleKey)
        {
            services.NoVarySearch.Learn(CacheInvalidation.UrlOf(withoutQuery), rule);
            Key = ruleKey;
        }
        // By URL it is found under its own, and under the one that it was asked by.
        if (CacheInvalidation.UrlOf(Key) is var url && url.Length < Key.Length)
            head = head with { Tags = [.. head.Tags, CacheServices.UrlTag(url)] };
        if (CacheInvalidation.UrlOf(_askedKey) is var other && other != url)
            head = head with { Tags = [.. head.Tags, CacheServices.UrlTag(other)] };
        var length = _context.Response.ContentLength;
        if (_stage.Refuses(_context))
            return (new(null, CacheRefusal.NoStoreCondition), null);
        if (length > _stage.Config.MaxEntrySize)
            return (new(null, CacheRefusal.TooLarge), null);
        if (_stage.Config.MinUses > 1 && _stage.Coding is null && services.CountUse(Key) < _stage.Config.MinUses)
            return (new(null, CacheRefusal.MinUses), null);
        try
        {
            await RemoveOutdatedAsync();
            var writer = await _stage.Store.CreateAsync(Key, head, length, _stage.Config.MaxVariants, _response.RequestAborted);
            return writer is null ? (new(null, CacheRefusal.Store), null) : (new(head, CacheRefusal.None), writer);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            services.Log.StoreFailed(_stage.Store.Name, e);
            return (new(null, CacheRefusal.Store), null);
        }
    }
}
