using System.Diagnostics;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;

namespace ProxyKit.IntegrationTests.Protocols;

/// <summary>nginx with a folder of its own, on a free port of the loopback.</summary>
public sealed class NginxServer : IAsyncLifetime
{
    private readonly string _prefix = Directory.CreateTempSubdirectory("proxykit-nginx-").FullName;
    private Process? _process;

    public string Url { get; private set; } = "";

    public byte[] File { get; } = Peers.Bytes(200_000, 3);

    public async ValueTask InitializeAsync()
    {
        if (Find() is not { } nginx)
            return; // each test says so
        int port;
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            port = ((IPEndPoint)probe.LocalEndpoint).Port;
        }
        Url = $"http://127.0.0.1:{port}";
        foreach (var folder in (string[])["html", "logs", "tmp"])
            Directory.CreateDirectory(Path.Combine(_prefix, folder));
        await System.IO.File.WriteAllBytesAsync(Path.Combine(_prefix, "html", "file.bin"), File);
        await System.IO.File.WriteAllTextAsync(Path.Combine(_prefix, "html", "page.html"), new string('a', 10_000));
        await System.IO.File.WriteAllTextAsync(Path.Combine(_prefix, "nginx.conf"), $$"""
            user root; # only when root starts it: the folder is nobody else's
            daemon off; worker_processes 1; pid nginx.pid; error_log logs/error.log;
            events { worker_connections 64; }
            http {
              access_log off; keepalive_timeout 60;
              types { text/html html; application/octet-stream bin; }
              client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
              server {
                listen 127.0.0.1:{{port}}; root html; gzip on; gzip_proxied any;
                location /connection { return 200 "$connection $connection_requests $server_protocol"; }
                location /moved { return 302 http://127.0.0.1:{{port}}/page.html; }
                location /early { client_max_body_size 1k; }
              }
            }
            """);
        _process = Process.Start(new ProcessStartInfo(nginx, ["-p", _prefix, "-c", "nginx.conf", "-e", "logs/error.log"]) { RedirectStandardError = true })!;
        using var http = new HttpClient();
        for (var limit = Stopwatch.StartNew(); ;)
        {
            try
            {
                await http.GetAsync(Url);
                return;
            }
            catch (HttpRequestException) when (!_process.HasExited && limit.Elapsed < Peers.Patience)
            {
                await Task.Delay(20); // it says nowhere that it listens
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            // The master takes its worker with it only when it is asked, not when it is killed.
            using (var quit = Process.Start("kill", ["-TERM", $"{_process.Id}"]))
                await quit.WaitForExitAsync();
            await _process.WaitForExitAsync().WaitAsync(Peers.Patience);
            _process.Dispose();
        }
        Directory.Delete(_prefix, recursive: true);
    }

    private static string? Find() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Append("/usr/sbin")
        .Select(folder => Path.Combine(folder, "nginx")).FirstOrDefault(System.IO.File.Exists);
}

public class NginxTests(NginxServer nginx) : IClassFixture<NginxServer>
{
    [Theory]
    [InlineData(Wire.Http1)]
    [InlineData(Wire.H2C)]
    public async Task A_file_arrives_with_its_validators_and_type(Wire client)
    {
        await using var proxy = await StartAsync(client);
        using var http = proxy.CreateClient(client);

        var response = await http.GetAsync("/file.bin");

        Assert.Equal(nginx.File, await response.Content.ReadAsByteArrayAsync());
        Assert.Equal("application/octet-stream", response.Content.Headers.ContentType!.MediaType);
        Assert.NotNull(response.Headers.ETag);
        Assert.NotNull(response.Content.Headers.LastModified);
        Assert.Equal(["bytes"], response.Headers.AcceptRanges);
        Assert.False(response.Headers.Contains("Server"));

        using var again = new HttpRequestMessage(HttpMethod.Get, "/file.bin") { Version = client.Version(), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        again.Headers.IfNoneMatch.Add(response.Headers.ETag);
        Assert.Equal(HttpStatusCode.NotModified, (await http.SendAsync(again)).StatusCode);
    }

    [Fact]
    public async Task A_range_of_a_file_and_several_ranges_arrive()
    {
        await using var proxy = await StartAsync(Wire.Http1);
        using var http = proxy.CreateClient(Wire.Http1);
        using var one = new HttpRequestMessage(HttpMethod.Get, "/file.bin") { Headers = { Range = new(100, 199) } };
        using var two = new HttpRequestMessage(HttpMethod.Get, "/file.bin") { Headers = { Range = new(0, 9) { Ranges = { new RangeItemHeaderValue(20, 29) } } } };

        var single = await http.SendAsync(one);
        var multiple = await http.SendAsync(two);

        Assert.Equal(HttpStatusCode.PartialContent, single.StatusCode);
        Assert.Equal("bytes 100-199/200000", single.Content.Headers.ContentRange!.ToString());
        Assert.Equal(nginx.File[100..200], await single.Content.ReadAsByteArrayAsync());
        Assert.Equal("multipart/byteranges", multiple.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task A_compressed_page_arrives_as_it_was_compressed()
    {
        await using var proxy = await StartAsync(Wire.Http1);
        using var http = proxy.CreateClient(Wire.Http1);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/page.html") { Headers = { AcceptEncoding = { new("gzip") } } };

        var response = await http.SendAsync(request);

        Assert.Equal(["gzip"], response.Content.Headers.ContentEncoding);
        await using var gzip = new GZipStream(await response.Content.ReadAsStreamAsync(), CompressionMode.Decompress);
        Assert.Equal(new string('a', 10_000), await new StreamReader(gzip).ReadToEndAsync());
        Assert.Empty((await http.GetAsync("/page.html")).Content.Headers.ContentEncoding); // not asked for, not added
    }

    [Fact]
    public async Task Requests_one_after_the_other_share_a_connection_to_the_upstream_whatever_the_clients_do()
    {
        await using var proxy = await StartAsync(Wire.Http1);

        var seen = new List<string>();
        for (var i = 1; i <= 5; i++)
        {
            var response = await RawClient.SendAsync(proxy.Port, "GET /connection HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            seen.Add(response[(response.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
        }

        Assert.Single(seen.Select(s => s.Split(' ')[0]).Distinct());
        Assert.Equal(["1", "2", "3", "4", "5"], seen.Select(s => s.Split(' ')[1]));
        Assert.All(seen, s => Assert.EndsWith(" HTTP/1.1", s));
    }

    [Fact]
    public async Task A_404_keeps_its_page()
    {
        await using var proxy = await StartAsync(Wire.Http1);
        using var http = proxy.CreateClient(Wire.Http1);

        var response = await http.GetAsync("/nothing");

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Contains("404 Not Found", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_redirect_to_the_upstreams_own_address_leads_to_the_proxy()
    {
        await using var proxy = await StartAsync(Wire.Http1);
        using var http = proxy.CreateClient(Wire.Http1);

        var response = await http.GetAsync("/moved");

        Assert.Equal($"{proxy.Url}/page.html", new Uri(proxy.Address, response.Headers.Location!).ToString());
    }

    private async Task<KestrelApp> StartAsync(Wire client)
    {
        RealServer.Require("nginx", "nginx-light");
        return await Peers.StartProxyAsync(client, nginx.Url);
    }
}
