using System.Globalization;
using ProxyKit.Caching.Disk;
using ProxyKit.Configuration;
using ProxyKit.Forwarding;

namespace ProxyKit.Caching;

/// <summary>The part of validation that concerns the cache.</summary>
internal static class CacheValidator
{
    private const int MaxVariants = 1000, MaxUses = 100;
    private const string Limits = $"{nameof(ReverseProxyOptions)}.{nameof(ReverseProxyOptions.Cache)}";

    // The tag field is dropped, and these are for the client or for the cache.
    private static readonly string[] s_notForTags =
        ["Accept-Ranges", "Age", "Cache-Control", "Cache-Status", "Date", "ETag", "Expires", "Last-Modified", "Pragma", "Surrogate-Control", "Vary", "WWW-Authenticate"];

    /// <summary>A route's cache, or an endpoint's.</summary>
    public static void Validate(string where, CacheConfig cache, IEnumerable<IProxyCacheStore> stores, List<string> errors)
    {
        where += ": Cache";
        var names = stores.Select(store => store.Name).Distinct(StringComparer.OrdinalIgnoreCase).ToArray();
        if (!names.Contains(cache.Store, StringComparer.OrdinalIgnoreCase))
            errors.Add($"{where}.Store '{cache.Store}' is not known{Nearest.Hint(cache.Store, names)} Your own are added with AddCacheStore.");
        ValidateTimes(where, cache, errors);
        ValidateFields(where, cache, errors);
        if (cache.MaxEntrySize < 1)
            errors.Add($"{where}.MaxEntrySize is {cache.MaxEntrySize}; it is a number of bytes, at least 1.");
        if (cache.MaxVariants is < 1 or > MaxVariants)
            errors.Add($"{where}.MaxVariants is {cache.MaxVariants}; it must be 1 to {MaxVariants}.");
        if (cache.MinUses is < 1 or > MaxUses)
            errors.Add($"{where}.MinUses is {cache.MinUses}; it must be 1 to {MaxUses}.");
        CacheKeyValidator.Validate($"{where}.Key", cache.Key, errors);
        CacheKeyValidator.Validate($"{where}.Bypass", cache.Bypass, errors);
        CacheKeyValidator.Validate($"{where}.NoStore", cache.NoStore, errors);
    }

    public static void Validate(string where, RouteConfig route, CacheLimits limits, IEnumerable<IProxyCacheStore> stores, List<string> errors)
    {
        if (route.Cache is not { } cache)
            return;
        Validate(where, cache, stores, errors);
        if (!cache.Enabled)
            return;
        if (stores.LastOrDefault(store => Is(store.Name, cache.Store)) is DiskCacheStore disk)
            ValidateFolder(where, cache, limits, disk, errors);
        // The output cache answers before this one is asked, and heeds neither what responses say nor what is purged here.
        if (route.OutputCachePolicy is { } policy)
            errors.Add($"{where}: OutputCachePolicy ('{policy}') and Cache exclude each other: the output cache would serve what may not be stored, and what has been purged. Take one of them away, or set Cache.Enabled to false.");
    }

    /// <summary>What all stored responses may take.</summary>
    public static void Validate(CacheLimits limits, List<string> errors)
    {
        if (limits.MaxMemory < 0)
            errors.Add($"{Limits}.{nameof(limits.MaxMemory)} is {limits.MaxMemory}; it must be at least 0 bytes.");
        if (limits.MaxDisk < 0)
            errors.Add($"{Limits}.{nameof(limits.MaxDisk)} is {limits.MaxDisk}; it must be at least 0 bytes.");
        if (limits.Directory is { } directory && string.IsNullOrWhiteSpace(directory))
            errors.Add($"{Limits}.{nameof(limits.Directory)} is empty; it must be the path of a folder.");
    }

    private static void ValidateFolder(string where, CacheConfig cache, CacheLimits limits, DiskCacheStore disk, List<string> errors)
    {
        if (limits.Directory is null)
        {
            errors.Add($"{where}: Cache.Store '{cache.Store}' needs a folder: {Limits}.{nameof(limits.Directory)}.");
            return;
        }
        try
        {
            if (!string.IsNullOrWhiteSpace(limits.Directory))
                disk.Prepare();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            var error = $"{Limits}.{nameof(limits.Directory)}: '{limits.Directory}' cannot hold stored responses: {e.Message}";
            if (!errors.Contains(error))
                errors.Add(error);
        }
    }

    private static void ValidateTimes(string where, CacheConfig cache, List<string> errors)
    {
        foreach (var (name, value) in new[]
        {
            (nameof(cache.DefaultTimeToLive), cache.DefaultTimeToLive), (nameof(cache.StaleWhileRevalidate), cache.StaleWhileRevalidate),
            (nameof(cache.StaleIfError), cache.StaleIfError), (nameof(cache.UncacheableTimeToLive), cache.UncacheableTimeToLive),
        })
        {
            if (value < TimeSpan.Zero)
                errors.Add($"{where}.{name} is {value}; it must not be negative.");
        }
        if (cache.CollapseTimeout <= TimeSpan.Zero || cache.CollapseTimeout > TimeSpan.FromMilliseconds(int.MaxValue))
            errors.Add($"{where}.CollapseTimeout is {cache.CollapseTimeout}; it must be positive and at most 24 days.");
        if (!(cache.HeuristicFraction is >= 0 and <= 1))
            errors.Add(string.Create(CultureInfo.InvariantCulture, $"{where}.HeuristicFraction is {cache.HeuristicFraction}; it must be 0 to 1."));
        foreach (var (status, time) in cache.StatusTimeToLive)
        {
            if (!StatusTimes.IsValidKey(status))
                errors.Add($"{where}.StatusTimeToLive: '{status}' is not {StatusTimes.AllowedKeys}.");
            if (!StatusTimes.TryParse(time, out var value) || value < TimeSpan.Zero)
                errors.Add($"{where}.StatusTimeToLive: '{time}' for {status} is not {StatusTimes.AllowedTimes}.");
        }
    }

    private static void ValidateFields(string where, CacheConfig cache, List<string> errors)
    {
        foreach (var name in cache.TargetedFields)
        {
            if (!Tokens.IsToken(name))
                errors.Add($"{where}.TargetedFields: '{name}' is not a field name.");
            else if (Is(name, "Cache-Control") || Is(name, "Expires"))
                errors.Add($"{where}.TargetedFields: '{name}' is heeded in any case, where no targeted field is there.");
            else if (Is(name, "Surrogate-Control"))
                errors.Add($"{where}.TargetedFields: '{name}' is no targeted field of RFC 9213; it has a setting of its own, SurrogateControl.");
        }
        if (!Tokens.IsToken(cache.SurrogateName))
            errors.Add($"{where}.SurrogateName: '{cache.SurrogateName}' is not a token (letters, digits and !#$%&'*+-.^_`|~).");
        if (cache.TagField.Length == 0)
            return;
        if (!Tokens.IsToken(cache.TagField))
            errors.Add($"{where}.TagField: '{cache.TagField}' is not a field name. Empty is none.");
        else if (HeaderRules.ForResponse(cache.TagField) != HeaderRule.Forward || cache.TagField.StartsWith("Content-", StringComparison.OrdinalIgnoreCase)
            || s_notForTags.Contains(cache.TagField, StringComparer.OrdinalIgnoreCase) || cache.TargetedFields.Contains(cache.TagField, StringComparer.OrdinalIgnoreCase))
            errors.Add($"{where}.TagField: '{cache.TagField}' has a meaning of its own, and the field with the tags is dropped; it must be one that nothing else uses, such as Cache-Tag.");
    }

    private static bool Is(string value, string name) => value.Equals(name, StringComparison.OrdinalIgnoreCase);
}
