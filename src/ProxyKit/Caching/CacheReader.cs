using ProxyKit.Configuration;

namespace ProxyKit.Caching;

/// <summary>A route's <c>Cache</c> in JSON.</summary>
internal static class CacheReader
{
    public static CacheConfig Read(SectionReader cache)
    {
        var defaults = new CacheConfig();
        return new()
        {
            Enabled = cache.Bool("Enabled") ?? defaults.Enabled,
            Store = cache.Text("Store") ?? defaults.Store,
            Key = cache.Section("Key", ReadKey) ?? defaults.Key,
            DefaultTimeToLive = cache.Time("DefaultTimeToLive"),
            StatusTimeToLive = cache.Map("StatusTimeToLive"),
            HeuristicFraction = cache.Double("HeuristicFraction") ?? defaults.HeuristicFraction,
            TargetedFields = cache.Has("TargetedFields") ? cache.Texts("TargetedFields") : defaults.TargetedFields,
            SurrogateControl = cache.Bool("SurrogateControl") ?? defaults.SurrogateControl,
            SurrogateName = cache.Text("SurrogateName") ?? defaults.SurrogateName,
            InvalidAgeIsStale = cache.Bool("InvalidAgeIsStale") ?? defaults.InvalidAgeIsStale,
            StaleWhileRevalidate = cache.Time("StaleWhileRevalidate") ?? defaults.StaleWhileRevalidate,
            StaleIfError = cache.Time("StaleIfError") ?? defaults.StaleIfError,
            AllowClientRefresh = cache.Bool("AllowClientRefresh") ?? defaults.AllowClientRefresh,
            StoreSetCookie = cache.Bool("StoreSetCookie") ?? defaults.StoreSetCookie,
            Bypass = cache.Section("Bypass", ReadCondition) ?? defaults.Bypass,
            NoStore = cache.Section("NoStore", ReadCondition) ?? defaults.NoStore,
            CollapseForwarding = cache.Bool("CollapseForwarding") ?? defaults.CollapseForwarding,
            CollapseTimeout = cache.Time("CollapseTimeout") ?? defaults.CollapseTimeout,
            UncacheableTimeToLive = cache.Time("UncacheableTimeToLive") ?? defaults.UncacheableTimeToLive,
            FinishWithoutClient = cache.Bool("FinishWithoutClient") ?? defaults.FinishWithoutClient,
            MaxEntrySize = cache.Long("MaxEntrySize") ?? defaults.MaxEntrySize,
            MaxVariants = cache.Int("MaxVariants") ?? defaults.MaxVariants,
            MinUses = cache.Int("MinUses") ?? defaults.MinUses,
            IgnoreLanguageOrder = cache.Bool("IgnoreLanguageOrder") ?? defaults.IgnoreLanguageOrder,
            CheckAcceptEncoding = cache.Bool("CheckAcceptEncoding") ?? defaults.CheckAcceptEncoding,
            CheckContentType = cache.Bool("CheckContentType") ?? defaults.CheckContentType,
            TagField = cache.Text("TagField") ?? defaults.TagField,
            CacheStatus = cache.Bool("CacheStatus") ?? defaults.CacheStatus,
        };
    }

    private static CacheKeyConfig ReadKey(SectionReader key) => new()
    {
        // An empty list is none of them; without the key, all count.
        QueryParameters = key.Has("QueryParameters") ? key.Texts("QueryParameters") : null,
        IgnoredQueryParameters = key.Texts("IgnoredQueryParameters"),
        SortQuery = key.Bool("SortQuery") ?? false,
        IgnoreHost = key.Bool("IgnoreHost") ?? false,
        Headers = key.Texts("Headers"),
        Cookies = key.Texts("Cookies"),
    };

    private static CacheConditionConfig ReadCondition(SectionReader condition) => new()
    {
        Headers = condition.Texts("Headers"),
        Cookies = condition.Texts("Cookies"),
        QueryParameters = condition.Texts("QueryParameters"),
        Paths = condition.Texts("Paths"),
    };
}
