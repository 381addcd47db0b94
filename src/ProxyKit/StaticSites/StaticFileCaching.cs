using Microsoft.Net.Http.Headers;

namespace ProxyKit.StaticSites;

/// <summary>What <c>Cache-Control</c> says about a route's static files.</summary>
internal sealed class StaticFileCaching(StaticFilesConfig config)
{
    private readonly string _immutable = AssetCaching.Kept("public", config.MaxAge, ", immutable"), _privateImmutable = AssetCaching.Kept("private", config.MaxAge, ", immutable");
    private readonly string _private = Private(config.CacheControl);

    public string For(string text, string contentType, string query, bool isPrivate)
    {
        var name = text[(text.LastIndexOf('/') + 1)..];
        if ((AssetCaching.IsAsset(contentType) && AssetCaching.IsVersioned(name, query)) || FileRules.Matches(config.ImmutableFiles, name) || PathFolders.Have(config.ImmutablePaths, text))
            return isPrivate ? _privateImmutable : _immutable;
        return isPrivate ? _private : config.CacheControl;
    }

    // The same, less what lets a shared cache keep it for others (RFC 9111 §3.5).
    private static string Private(string text)
    {
        if (!CacheControlHeaderValue.TryParse(text, out var value) || value.NoStore || value.NoCache)
            return text;
        value.Public = false;
        value.Private = true;
        value.SharedMaxAge = null;
        return value.ToString();
    }
}
