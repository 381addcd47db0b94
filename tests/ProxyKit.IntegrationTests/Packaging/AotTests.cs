using System.Runtime.InteropServices;

namespace ProxyKit.IntegrationTests.Packaging;

/// <summary>The proxy in an app that is published as native code.</summary>
[Collection("programs")]
public class AotTests
{
    [Fact]
    public async Task The_native_gateway_is_published_without_warnings_and_forwards()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The test publishes for Linux.");
        if (!File.Exists("/usr/bin/clang"))
            RealServer.Require("gcc", "gcc libc6-dev");

        using var folder = new TemporaryFolder();
        var runtime = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "linux-arm64" : "linux-x64";
        var output = await RunningProgram.DotnetAsync(
            Repository.Root, "publish", "samples/AotGateway", "-r", runtime, "-o", folder.Combine("app"), "--artifacts-path", folder.Combine("artifacts"), "-nodeReuse:false");
        Assert.DoesNotContain("warning", output, StringComparison.OrdinalIgnoreCase);
        Assert.False(File.Exists(folder.Combine("app", "ProxyKit.dll"))); // it is inside

        await using var upstream = new RawUpstream(async connection =>
        {
            while (true)
            {
                await connection.ReadRequestAsync();
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
            }
        });
        folder.Write("app/appsettings.json", $$"""
            {
              "ReverseProxy": {
                "Routes": {
                  "json": {
                    "ClusterId": "json",
                    "Match": { "Path": "/json/{id}", "Headers": [ { "Name": "X-Kind", "Values": [ "native" ] } ] },
                    "Transforms": [ { "PathPattern": "/items/{id}" }, { "ResponseHeader": "X-From", "Set": "json" } ]
                  }
                },
                "Clusters": { "json": { "Destinations": { "a": { "Address": "{{upstream.Url}}" } } } }
              }
            }
            """);
        await using var gateway = RunningProgram.Start(folder.Combine("app", "AotGateway"), folder.Combine("app"), "--urls", "http://127.0.0.1:0", "--upstream", upstream.Url);
        var url = (await gateway.WaitForAsync("Now listening on: (http://.*)$")).Groups[1].Value.Trim();
        using var client = new HttpClient { BaseAddress = new(url) };

        Assert.Equal("hello", await client.GetStringAsync("/a%2fb?c=d"));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/json/7") { Headers = { { "X-Kind", "native" } }, Content = new StringContent("body") };
        using var response = await client.SendAsync(request);

        Assert.Equal("json", Assert.Single(response.Headers.GetValues("X-From")));
        Assert.StartsWith("GET /a%2fb?c=d HTTP/1.1\r\n", upstream.Requests[0]);
        Assert.StartsWith("POST /items/7 HTTP/1.1\r\n", upstream.Requests[1]);
    }
}
