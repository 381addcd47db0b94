using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.StaticSites;

/// <summary>A folder with a PHP site in it, and a php-fpm in memory that answers with what it was asked to run.</summary>
internal sealed class PhpSite : IDisposable
{
    public const string Fpm = "fastcgi://php.test:9000";

    /// <summary>What stands in files that nobody may see.</summary>
    public const string Secret = "top-secret-password";

    private readonly List<IReadOnlyList<KeyValuePair<string, string>>> _requests = [];

    public string Root { get; } = Directory.CreateTempSubdirectory("proxykit-site-").FullName;

    /// <summary>The parameters of the last request that reached the application.</summary>
    public string? this[string parameter] => _requests[^1].LastOrDefault(p => p.Key == parameter).Value;

    public int Requests => _requests.Count;

    public PhpSite Add(params string[] files)
    {
        foreach (var file in files)
            Write(file, $"content of {file}");
        return this;
    }

    public PhpSite AddSecret(params string[] files)
    {
        foreach (var file in files)
            Write(file, $"<?php {Secret}");
        return this;
    }

    public PhpSite Link(string name, string target)
    {
        File.CreateSymbolicLink(Path.Join(Root, name), target);
        return this;
    }

    public string PathOf(string file) => Path.Join(Root, file);

    public TestDestinations Destinations()
    {
        var destinations = new TestDestinations();
        destinations.Map(Fpm, request =>
        {
            Assert.True(request.Options.TryGetValue(FastCgiHandler.Parameters, out var parameters));
            lock (_requests)
                _requests.Add(parameters);
            return new() { Content = new StringContent($"PHP {this["SCRIPT_NAME"]}|{this["PATH_INFO"]}") };
        });
        return destinations;
    }

    public Task<ProxyApp> StartAsync(Action<ProxyRouteBuilder>? route = null) => StartAsync(app => app, route);

    public Task<ProxyApp> StartAsync(Func<WebApplication, Microsoft.AspNetCore.Routing.IEndpointRouteBuilder> place, Action<ProxyRouteBuilder>? route = null) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            services.AddProxyTestDestinations(Destinations());
        },
        app =>
        {
            var builder = place(app).MapPhp(Root, Fpm);
            route?.Invoke(builder);
        });

    public void Dispose() => Directory.Delete(Root, recursive: true);

    private void Write(string file, string content)
    {
        var path = PathOf(file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
    }
}

/// <summary>An answer, taken apart.</summary>
internal sealed record SiteAnswer(int Status, string Body, HttpResponse Response)
{
    public static async Task<SiteAnswer> GetAsync(ProxyApp app, string target, string method = "GET", Action<HttpRequest>? configure = null)
    {
        var context = await app.GetRawAsync(target, context =>
        {
            context.Request.Method = method;
            configure?.Invoke(context.Request);
        });
        using var reader = new StreamReader(context.Response.Body);
        return new(context.Response.StatusCode, await reader.ReadToEndAsync(), context.Response);
    }

    public string? this[string header] => Response.Headers.TryGetValue(header, out var value) ? value.ToString() : null;

    /// <summary>Whether the proxy has answered with a file.</summary>
    public bool IsFile => this["X-Content-Type-Options"] == "nosniff";
}
