using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Compression;

/// <summary>Proxies that compress, and clients that look at the bytes.</summary>
internal static class CompressingApp
{
    /// <summary>Text that becomes much shorter.</summary>
    public static readonly string Text = string.Concat(Enumerable.Range(0, 400).Select(i => $"line {i} of a text that compresses well\n"));

    public static Task<ProxyApp> StartAsync(
        Func<HttpRequestMessage, HttpResponseMessage> answer, Action<CompressionOptions>? compression = null, Action<ProxyRouteBuilder>? route = null, Action<ReverseProxyBuilder>? proxy = null,
        Action<WebApplication>? use = null, Action<IServiceCollection>? services = null) =>
        ProxyApp.StartAsync(
            s =>
            {
                var builder = s.AddReverseProxy();
                builder.AddZstdCompression();
                proxy?.Invoke(builder);
                var destinations = new TestDestinations();
                destinations.Map(ProxyApp.Upstream, answer);
                s.AddProxyTestDestinations(destinations);
                services?.Invoke(s);
            },
            app =>
            {
                use?.Invoke(app);
                var builder = app.MapProxy("/{**path}", ProxyApp.Upstream).WithCompression(compression ?? (static _ => { }));
                route?.Invoke(builder);
            });

    /// <summary>An answer of this text.</summary>
    public static HttpResponseMessage Answer(string text, params (string Name, string Value)[] headers) => Answer(new StringContent(text, new MediaTypeHeaderValue("text/plain")), headers);

    public static HttpResponseMessage Answer(HttpContent content, params (string Name, string Value)[] headers)
    {
        content.Headers.ContentType ??= new("text/plain");
        var response = new HttpResponseMessage(HttpStatusCode.OK) { Content = content };
        foreach (var (name, value) in headers)
        {
            if (name == ":status")
                response.StatusCode = (HttpStatusCode)int.Parse(value);
            else if (name == "Content-Type")
                content.Headers.ContentType = value.Length == 0 ? null : MediaTypeHeaderValue.Parse(value);
            else if (!response.Headers.TryAddWithoutValidation(name, value))
                content.Headers.TryAddWithoutValidation(name, value);
        }
        return response;
    }

    public static async Task<HttpResponseMessage> GetAsync(this ProxyApp app, string? acceptEncoding, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        foreach (var (name, value) in headers)
        {
            if (name == ":method")
                request.Method = new(value);
            else if (name == ":scheme")
                request.RequestUri = new($"{value}://localhost/");
            else
                request.Headers.TryAddWithoutValidation(name, value);
        }
        if (acceptEncoding is not null)
            request.Headers.TryAddWithoutValidation("Accept-Encoding", acceptEncoding);
        return await app.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    public static string? Encoding(this HttpResponseMessage response) => response.Content.Headers.ContentEncoding.SingleOrDefault();

    /// <summary>A field's lines, joined with a bar; null if there is none.</summary>
    public static string? Field(this HttpResponseMessage response, string name) =>
        response.Headers.NonValidated.TryGetValues(name, out var values) || response.Content.Headers.NonValidated.TryGetValues(name, out values) ? string.Join(" | ", values.Select(v => v)) : null;

    public static Stream Decoder(Stream body, string? coding) => coding switch
    {
        "gzip" => new GZipStream(body, CompressionMode.Decompress),
        "br" => new BrotliStream(body, CompressionMode.Decompress),
        "zstd" => new ZstdSharp.DecompressionStream(body),
        _ => body,
    };

    public static async Task<string> TextAsync(this HttpResponseMessage response)
    {
        await using var body = Decoder(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken), response.Encoding());
        using var reader = new StreamReader(body);
        return await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
    }

    public static byte[] Compress(string coding, byte[] content)
    {
        var bytes = new MemoryStream();
        using (Stream stream = coding switch
        {
            "gzip" or "x-gzip" => new GZipStream(bytes, CompressionLevel.Optimal, leaveOpen: true),
            "br" => new BrotliStream(bytes, CompressionLevel.Optimal, leaveOpen: true),
            "deflate" => new ZLibStream(bytes, CompressionLevel.Optimal, leaveOpen: true),
            _ => new ZstdSharp.CompressionStream(bytes, leaveOpen: true),
        })
            stream.Write(content);
        return bytes.ToArray();
    }
}
