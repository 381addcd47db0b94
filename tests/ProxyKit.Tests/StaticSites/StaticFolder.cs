using Microsoft.AspNetCore.Builder;

namespace ProxyKit.Tests.StaticSites;

/// <summary>A folder with files in it, next to things that nobody may see, in front of an upstream that says so when it is asked.</summary>
internal sealed class StaticFolder : IDisposable
{
    public const string Secret = "top-secret-password", FromUpstream = "from the upstream";

    private readonly string _parent = Directory.CreateTempSubdirectory("proxykit-static-").FullName;

    public StaticFolder() => Directory.CreateDirectory(Root);

    public string Root => Path.Join(_parent, "root");

    /// <summary>A file, with its own path in it if nothing else is said; its time is that of a day ago.</summary>
    public StaticFolder Add(string file, string? content = null, DateTime? modified = null)
    {
        var path = PathOf(file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content ?? $"content of {file}");
        File.SetLastWriteTimeUtc(path, modified ?? new(2026, 1, 2, 3, 4, 5, 678, DateTimeKind.Utc));
        return this;
    }

    public StaticFolder Link(string name, string target)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(PathOf(name))!);
        File.CreateSymbolicLink(PathOf(name), target);
        return this;
    }

    public string PathOf(string file) => Path.Join(Root, file);

    public Task<ProxyApp> StartAsync(Action<StaticFilesOptions>? configure = null, Action<ProxyRouteBuilder>? route = null) => ProxyApp.StartAsync(
        request => new() { Content = new StringContent($"{FromUpstream}: {request.Method} {request.RequestUri!.AbsolutePath}") },
        builder =>
        {
            builder.WithStaticFiles(Root, configure ?? (static _ => { }));
            route?.Invoke(builder);
        });

    public void Dispose() => Directory.Delete(_parent, recursive: true);
}
