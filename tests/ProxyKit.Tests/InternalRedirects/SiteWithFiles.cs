using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Testing;
using ProxyKit.Testing;

namespace ProxyKit.Tests.InternalRedirects;

/// <summary>A folder with files, a secret beside it, and an upstream whose response has these headers.</summary>
internal sealed class SiteWithFiles : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxykit");

    public SiteWithFiles()
    {
        Files = Directory.CreateDirectory(Path.Combine(_folder.FullName, "files")).FullName;
        Write("files/report.pdf", "0123456789");
        Write("files/deep/er.txt", "deeper");
        Write("files/ümlaut +%.txt", "umlaut");
        Write("files/.env", "secret");
        Write("files/.git/config", "secret");
        Write("secret.txt", "secret");
        Write("files-old/report.pdf", "secret");
    }

    public string Files { get; }

    public string Root => _folder.FullName;

    /// <summary>What the upstream answers.</summary>
    public Func<HttpRequestMessage, HttpResponseMessage> Answer { get; set; } = _ => new();

    public string Write(string path, string text)
    {
        var file = Path.Combine(_folder.FullName, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        return file;
    }

    /// <summary>Has the upstream answer with a body that nobody is to see, and this header.</summary>
    public SiteWithFiles Answering(string name, string value, Action<HttpResponseMessage>? configure = null)
    {
        Answer = _ =>
        {
            var response = new HttpResponseMessage { Content = new StringContent("the upstream's own", null, "text/html") };
            response.Content.Headers.ContentType = null;
            response.Headers.TryAddWithoutValidation(name, value);
            configure?.Invoke(response);
            return response;
        };
        return this;
    }

    public Task<ProxyApp> StartAsync(Action<ProxyRouteBuilder>? route = null, Action<WebApplication>? use = null) => ProxyApp.StartAsync(
        services =>
        {
            services.AddReverseProxy();
            var destinations = new TestDestinations();
            destinations.Map(ProxyApp.Upstream, request => Answer(request));
            services.AddProxyTestDestinations(destinations);
        },
        app =>
        {
            use?.Invoke(app);
            var builder = app.MapProxy("/{**path}", ProxyApp.Upstream);
            if (route is null)
                builder.WithInternalRedirect("/protected/", Files);
            else
                route(builder);
        });

    public static IReadOnlyList<FakeLogRecord> Logged(ProxyApp app, string eventName) => [.. app.Logs.GetSnapshot().Where(line => line.Id.Name == eventName)];

    public void Dispose() => _folder.Delete(recursive: true);
}
