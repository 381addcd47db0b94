using Microsoft.AspNetCore.Http;
using ProxyKit.Caching;

namespace ProxyKit;

/// <summary>A route's cache; see <see cref="CacheConfig"/>.</summary>
public sealed class CacheOptions
{
    // For validation to name.
    private readonly List<KeyValuePair<string, string>> _wrongTimes = [];

    internal CacheOptions(CacheConfig now)
    {
        Enabled = now.Enabled;
        Store = now.Store;
        Key = new(now.Key);
        DefaultTimeToLive = now.DefaultTimeToLive;
        foreach (var (status, text) in now.StatusTimeToLive)
        {
            if (StatusTimes.TryParse(text, out var time))
                StatusTimeToLive[status] = time;
            else
                _wrongTimes.Add(new(status, text));
        }
        HeuristicFraction = now.HeuristicFraction;
        TargetedFields = [.. now.TargetedFields];
        SurrogateControl = now.SurrogateControl;
        SurrogateName = now.SurrogateName;
        InvalidAgeIsStale = now.InvalidAgeIsStale;
        StaleWhileRevalidate = now.StaleWhileRevalidate;
        StaleIfError = now.StaleIfError;
        AllowClientRefresh = now.AllowClientRefresh;
        StoreSetCookie = now.StoreSetCookie;
        Bypass = new(now.Bypass);
        NoStore = new(now.NoStore);
        CollapseForwarding = now.CollapseForwarding;
        CollapseTimeout = now.CollapseTimeout;
        UncacheableTimeToLive = now.UncacheableTimeToLive;
        FinishWithoutClient = now.FinishWithoutClient;
        MaxEntrySize = now.MaxEntrySize;
        MaxVariants = now.MaxVariants;
        MinUses = now.MinUses;
        IgnoreLanguageOrder = now.IgnoreLanguageOrder;
        CheckContentType = now.CheckContentType;
        CheckAcceptEncoding = now.CheckAcceptEncoding;
        TagField = now.TagField;
        CacheStatus = now.CacheStatus;
    }

    /// <inheritdoc cref="CacheConfig.Enabled"/>
    public bool Enabled { get; set; }

    /// <inheritdoc cref="CacheConfig.Store"/>
    public string Store { get; set; }

    /// <inheritdoc cref="CacheConfig.Key"/>
    public CacheKeyOptions Key { get; }

    /// <inheritdoc cref="CacheConfig.DefaultTimeToLive"/>
    public TimeSpan? DefaultTimeToLive { get; set; }

    /// <summary>
    /// How long responses are fresh that say nothing of it, by status: a code (<c>404</c>) or class (<c>4xx</c>). Goes before <see cref="DefaultTimeToLive"/>. See
    /// <see cref="CacheConfig.StatusTimeToLive"/>.
    /// </summary>
    public IDictionary<string, TimeSpan> StatusTimeToLive { get; } = new Dictionary<string, TimeSpan>(StringComparer.OrdinalIgnoreCase);

    /// <inheritdoc cref="CacheConfig.HeuristicFraction"/>
    public double HeuristicFraction { get; set; }

    /// <inheritdoc cref="CacheConfig.TargetedFields"/>
    public IList<string> TargetedFields { get; }

    /// <inheritdoc cref="CacheConfig.SurrogateControl"/>
    public bool SurrogateControl { get; set; }

    /// <inheritdoc cref="CacheConfig.SurrogateName"/>
    public string SurrogateName { get; set; }

    /// <inheritdoc cref="CacheConfig.InvalidAgeIsStale"/>
    public bool InvalidAgeIsStale { get; set; }

    /// <inheritdoc cref="CacheConfig.StaleWhileRevalidate"/>
    public TimeSpan StaleWhileRevalidate { get; set; }

    /// <inheritdoc cref="CacheConfig.StaleIfError"/>
    public TimeSpan StaleIfError { get; set; }

    /// <inheritdoc cref="CacheConfig.AllowClientRefresh"/>
    public bool AllowClientRefresh { get; set; }

    /// <inheritdoc cref="CacheConfig.StoreSetCookie"/>
    public bool StoreSetCookie { get; set; }

    /// <inheritdoc cref="CacheConfig.Bypass"/>
    public CacheConditionOptions Bypass { get; }

    /// <inheritdoc cref="CacheConfig.NoStore"/>
    public CacheConditionOptions NoStore { get; }

    /// <inheritdoc cref="CacheConfig.CollapseForwarding"/>
    public bool CollapseForwarding { get; set; }

    /// <inheritdoc cref="CacheConfig.CollapseTimeout"/>
    public TimeSpan CollapseTimeout { get; set; }

    /// <inheritdoc cref="CacheConfig.UncacheableTimeToLive"/>
    public TimeSpan UncacheableTimeToLive { get; set; }

    /// <inheritdoc cref="CacheConfig.FinishWithoutClient"/>
    public bool FinishWithoutClient { get; set; }

    /// <inheritdoc cref="CacheConfig.MaxEntrySize"/>
    public long MaxEntrySize { get; set; }

    /// <inheritdoc cref="CacheConfig.MaxVariants"/>
    public int MaxVariants { get; set; }

    /// <inheritdoc cref="CacheConfig.MinUses"/>
    public int MinUses { get; set; }

    /// <inheritdoc cref="CacheConfig.IgnoreLanguageOrder"/>
    public bool IgnoreLanguageOrder { get; set; }

    /// <inheritdoc cref="CacheConfig.CheckContentType"/>
    public bool CheckContentType { get; set; }

    /// <inheritdoc cref="CacheConfig.CheckAcceptEncoding"/>
    public bool CheckAcceptEncoding { get; set; }

    /// <inheritdoc cref="CacheConfig.TagField"/>
    public string TagField { get; set; }

    /// <inheritdoc cref="CacheConfig.CacheStatus"/>
    public bool CacheStatus { get; set; }

    internal CacheConfig ToConfig() => new()
    {
        Enabled = Enabled,
        Store = Store,
        Key = Key.ToConfig(),
        DefaultTimeToLive = DefaultTimeToLive,
        StatusTimeToLive = new(StatusTimeToLive.Select(e => KeyValuePair.Create(e.Key, StatusTimes.Format(e.Value))).Concat(_wrongTimes.Where(e => !StatusTimeToLive.ContainsKey(e.Key)))),
        HeuristicFraction = HeuristicFraction,
        TargetedFields = TargetedFields.ToValueList(),
        SurrogateControl = SurrogateControl,
        SurrogateName = SurrogateName,
        InvalidAgeIsStale = InvalidAgeIsStale,
        StaleWhileRevalidate = StaleWhileRevalidate,
        StaleIfError = StaleIfError,
        AllowClientRefresh = AllowClientRefresh,
        StoreSetCookie = StoreSetCookie,
        Bypass = Bypass.ToConfig(),
        NoStore = NoStore.ToConfig(),
        CollapseForwarding = CollapseForwarding,
        CollapseTimeout = CollapseTimeout,
        UncacheableTimeToLive = UncacheableTimeToLive,
        FinishWithoutClient = FinishWithoutClient,
        MaxEntrySize = MaxEntrySize,
        MaxVariants = MaxVariants,
        MinUses = MinUses,
        IgnoreLanguageOrder = IgnoreLanguageOrder,
        CheckContentType = CheckContentType,
        CheckAcceptEncoding = CheckAcceptEncoding,
        TagField = TagField,
        CacheStatus = CacheStatus,
    };
}

/// <summary>What tells cached resources apart; see <see cref="CacheKeyConfig"/>.</summary>
public sealed class CacheKeyOptions
{
    internal CacheKeyOptions(CacheKeyConfig now)
    {
        QueryParameters = now.QueryParameters is null ? null : [.. now.QueryParameters];
        IgnoredQueryParameters = [.. now.IgnoredQueryParameters];
        SortQuery = now.SortQuery;
        IgnoreHost = now.IgnoreHost;
        Headers = [.. now.Headers];
        Cookies = [.. now.Cookies];
        Custom = now.Custom;
    }

    /// <inheritdoc cref="CacheKeyConfig.QueryParameters"/>
    public IList<string>? QueryParameters { get; set; }

    /// <inheritdoc cref="CacheKeyConfig.IgnoredQueryParameters"/>
    public IList<string> IgnoredQueryParameters { get; }

    /// <inheritdoc cref="CacheKeyConfig.SortQuery"/>
    public bool SortQuery { get; set; }

    /// <inheritdoc cref="CacheKeyConfig.IgnoreHost"/>
    public bool IgnoreHost { get; set; }

    /// <inheritdoc cref="CacheKeyConfig.Headers"/>
    public IList<string> Headers { get; }

    /// <inheritdoc cref="CacheKeyConfig.Cookies"/>
    public IList<string> Cookies { get; }

    /// <inheritdoc cref="CacheKeyConfig.Custom"/>
    public Func<HttpContext, string?>? Custom { get; set; }

    internal CacheKeyConfig ToConfig() => new()
    {
        QueryParameters = QueryParameters?.ToValueList(),
        IgnoredQueryParameters = IgnoredQueryParameters.ToValueList(),
        SortQuery = SortQuery,
        IgnoreHost = IgnoreHost,
        Headers = Headers.ToValueList(),
        Cookies = Cookies.ToValueList(),
        Custom = Custom,
    };
}

/// <summary>A condition on requests; see <see cref="CacheConditionConfig"/>.</summary>
public sealed class CacheConditionOptions
{
    internal CacheConditionOptions(CacheConditionConfig now)
    {
        Headers = [.. now.Headers];
        Cookies = [.. now.Cookies];
        QueryParameters = [.. now.QueryParameters];
        Paths = [.. now.Paths];
        When = now.When;
    }

    /// <inheritdoc cref="CacheConditionConfig.Headers"/>
    public IList<string> Headers { get; }

    /// <inheritdoc cref="CacheConditionConfig.Cookies"/>
    public IList<string> Cookies { get; }

    /// <inheritdoc cref="CacheConditionConfig.QueryParameters"/>
    public IList<string> QueryParameters { get; }

    /// <inheritdoc cref="CacheConditionConfig.Paths"/>
    public IList<string> Paths { get; }

    /// <inheritdoc cref="CacheConditionConfig.When"/>
    public Func<HttpContext, bool>? When { get; set; }

    internal CacheConditionConfig ToConfig() => new()
    {
        Headers = Headers.ToValueList(),
        Cookies = Cookies.ToValueList(),
        QueryParameters = QueryParameters.ToValueList(),
        Paths = Paths.ToValueList(),
        When = When,
    };
}
