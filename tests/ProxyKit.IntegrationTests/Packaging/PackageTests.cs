using System.IO.Compression;
using System.Text.Json.Nodes;

namespace ProxyKit.IntegrationTests.Packaging;

/// <summary>The package as a user gets it.</summary>
[Collection("programs")]
public class PackageTests
{
    [Fact]
    public async Task The_package_is_complete_and_a_new_app_restores_and_uses_it()
    {
        using var folder = new TemporaryFolder();
        await RunningProgram.DotnetAsync(Repository.Root, "pack", "src/ProxyKit", "-c", "Release", "--artifacts-path", folder.Combine("artifacts"), "-nodeReuse:false");
        var feed = Repository.Path("tests", "packages");
        var package = new DirectoryInfo(feed).GetFiles("ProxyKit.*.nupkg").MaxBy(f => f.LastWriteTimeUtc)!;
        var version = Path.GetFileNameWithoutExtension(package.Name)["ProxyKit.".Length..];

        await CheckContentsAsync(package.FullName);
        Assert.True(File.Exists(Path.ChangeExtension(package.FullName, ".snupkg")));

        await CheckAppAsync(folder, feed, version);
    }

    private static async Task CheckContentsAsync(string package)
    {
        using var zip = await ZipFile.OpenReadAsync(package);
        var files = zip.Entries.Select(e => e.FullName).ToArray();

        Assert.Superset(
            new HashSet<string>
            {
                "README.md", "icon.png", "ConfigurationSchema.json", "buildTransitive/ProxyKit.targets", "lib/net10.0/ProxyKit.dll", "lib/net10.0/ProxyKit.xml",
            },
            files.ToHashSet());
        var nuspec = new StreamReader(zip.GetEntry("ProxyKit.nuspec")!.Open()).ReadToEnd();
        Assert.Contains("<readme>README.md</readme>", nuspec);
        Assert.Contains("<icon>icon.png</icon>", nuspec);
        Assert.Contains("<license type=\"expression\">MIT</license>", nuspec);
        Assert.Contains("<frameworkReference name=\"Microsoft.AspNetCore.App\" />", nuspec);
        Assert.Equal(2, nuspec.Split("<dependency ").Length); // nothing but the framework and
        Assert.Contains("<dependency id=\"Polly.Core\"", nuspec);
    }

    private static async Task CheckAppAsync(TemporaryFolder folder, string feed, string version)
    {
        // The machine's own sources, and the folder that was packed into; packages go to a folder that has no older ProxyKit.
        folder.Write("nuget.config", $"""
            <configuration>
              <packageSources>
                <add key="proxykit" value="{feed}" />
              </packageSources>
            </configuration>
            """);
        folder.Write("Scratch.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <RestorePackagesPath>$(MSBuildThisFileDirectory)packages</RestorePackagesPath>
                <DefaultItemExcludes>$(DefaultItemExcludes);packages/**;artifacts/**</DefaultItemExcludes>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="ProxyKit" Version="[{version}]" />
              </ItemGroup>
            </Project>
            """);
        folder.Write("Program.cs", """
            var behind = WebApplication.CreateSlimBuilder();
            behind.WebHost.UseUrls("http://127.0.0.1:0");
            await using var upstream = behind.Build();
            upstream.MapGet("/{**path}", (HttpRequest request) => $"{request.Path} by way of {request.Headers.Via}");
            await upstream.StartAsync();

            var builder = WebApplication.CreateSlimBuilder();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            builder.Services.AddReverseProxy(o => o.Pseudonym = "scratch");
            await using var app = builder.Build();
            app.MapProxy("/{**path}", upstream.Urls.First());
            await app.StartAsync();

            using var client = new HttpClient();
            Console.WriteLine("answer: " + await client.GetStringAsync(app.Urls.First() + "/hello"));
            """);

        var output = await RunningProgram.DotnetAsync(folder.Path, "run", "--project", "Scratch.csproj");
        Assert.Contains("answer: /hello by way of 1.1 scratch", output);

        // Editors find the schema of appsettings.json by this item.
        var item = await RunningProgram.DotnetAsync(folder.Path, "msbuild", "Scratch.csproj", "-getItem:JsonSchemaSegment", "-nodeReuse:false");
        var segments = JsonNode.Parse(item)!["Items"]!["JsonSchemaSegment"]!.AsArray();
        Assert.Contains(segments, s => Path.GetFileName(s!["FullPath"]!.GetValue<string>()) == "ConfigurationSchema.json" && File.Exists(s["FullPath"]!.GetValue<string>()));
    }
}
