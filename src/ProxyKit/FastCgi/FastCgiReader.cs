using Microsoft.Extensions.Logging;
using ProxyKit.Configuration;

namespace ProxyKit.FastCgi;

/// <summary>A route's and a cluster's <c>FastCgi</c> in JSON.</summary>
internal static class FastCgiReader
{
    public static FastCgiConfig ReadSite(SectionReader site)
    {
        var defaults = new FastCgiConfig();
        return new()
        {
            Root = site.Text("Root"),
            Index = site.Text("Index") ?? defaults.Index,
            Extensions = site.Has("Extensions") ? site.Texts("Extensions") : defaults.Extensions,
            CheckScript = site.Bool("CheckScript") ?? defaults.CheckScript,
            ResolveRoot = site.Bool("ResolveRoot") ?? defaults.ResolveRoot,
            SymbolicLinks = site.Enum<SymbolicLinkPolicy>("SymbolicLinks") ?? defaults.SymbolicLinks,
            Parameters = site.Map("Parameters"),
        };
    }

    public static FastCgiConnectionConfig ReadConnections(SectionReader connections)
    {
        var defaults = new FastCgiConnectionConfig();
        return new()
        {
            KeepConnections = connections.Bool("KeepConnections") ?? defaults.KeepConnections,
            MaxConnections = connections.Int("MaxConnections"),
            QueueLimit = connections.Int("QueueLimit") ?? defaults.QueueLimit,
            QueueTimeout = connections.Time("QueueTimeout") ?? defaults.QueueTimeout,
            IdleTimeout = connections.Time("IdleTimeout") ?? defaults.IdleTimeout,
            StandardError = connections.Enum<LogLevel>("StandardError") ?? defaults.StandardError,
            FailOnStandardError = connections.Bool("FailOnStandardError") ?? defaults.FailOnStandardError,
        };
    }
}
