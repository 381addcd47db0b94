using System.IO.Compression;
using System.Text.Json.Nodes;

namespace ProxyKit.IntegrationTests.Packaging;

/// <summary>The package as a user gets it.</summary>
[Collection("programs")]
public class PackageTests
{
    private const string SpinLimit = "System.Threading.ThreadPool.UnfairSemaphoreSpinLimit";

    [Fact]
    public async Task The_package_is_complete_and_a_new_app_restores_and_uses_it()
    {
        using var folder = new TemporaryFolder();
        await RunningProgram.DotnetAsync(Repository.Root, "pack", "src/ProxyKit", "-c", "Release", "--artifacts-path", folder.Combine("artifacts"), "-nodeReuse:false");
        var feed = Repository.Path("tests", "packages");
        var package = Newest(feed, "ProxyKit");
        var version = Path.GetFileNameWithoutExtension(package.Name)["ProxyKit.".Length..];

        await CheckContentsAsync(package.FullName);
        Assert.True(File.Exists(Path.ChangeExtension(package.FullName, ".snupkg")));

        await CheckAppAsync(folder, feed, version);
    }

    [Theory]
    [InlineData("ProxyKit.Dns", "DnsClient", "AddDnsSrv", "DnsSrv")]
    [InlineData("ProxyKit.ServiceDiscovery", "Microsoft.Extensions.ServiceDiscovery", "AddServiceDiscovery", "ServiceDiscovery")]
    public async Task A_package_beside_it_brings_it_along_and_what_it_is_for(string name, string dependency, string step, string source) =>
        // The source itself says what is wrong with that address.
        Assert.Contains("'nonsense://' is not the name of ", await RunWithAsync(name, dependency, step, $"app.MapProxy(\"/{{**path}}\", \"nonsense://\").WithDiscovery(\"{source}\");"));

    [Fact]
    public async Task The_package_for_zstd_brings_the_coding() =>
        // Its own range of levels.
        Assert.Contains("'77' is not a level of zstd; it must be -7 to 19.", await RunWithAsync(
            "ProxyKit.Zstd", "ZstdSharp.Port", "AddZstdCompression", "app.MapProxy(\"/{**path}\", \"http://localhost:1\").WithCompression(c => c.Levels[\"zstd\"] = 77);"));

    /// <summary>Packs a package, looks into it, and runs an app that has nothing but it, with a route that is not valid.</summary>
    private static async Task<string> RunWithAsync(string name, string dependency, string step, string route)
    {
        using var folder = new TemporaryFolder();
        foreach (var project in new[] { "ProxyKit", name })
            await RunningProgram.DotnetAsync(Repository.Root, "pack", $"src/{project}", "-c", "Release", "--artifacts-path", folder.Combine("artifacts"), "-nodeReuse:false");
        var feed = Repository.Path("tests", "packages");
        var package = Newest(feed, name);
        var version = Path.GetFileNameWithoutExtension(package.Name)[(name.Length + 1)..];

        using (var zip = await ZipFile.OpenReadAsync(package.FullName))
        {
            Assert.Superset(
                new HashSet<string> { "README.md", "icon.png", $"lib/net10.0/{name}.dll", $"lib/net10.0/{name}.xml" }, zip.Entries.Select(e => e.FullName).ToHashSet());
            var nuspec = new StreamReader(zip.GetEntry($"{name}.nuspec")!.Open()).ReadToEnd();
            Assert.Contains($"<dependency id=\"ProxyKit\" version=\"{version}\"", nuspec);
            Assert.Contains($"<dependency id=\"{dependency}\" ", nuspec);
            Assert.Equal(2, nuspec.Split("<dependency ").Length - 1);
        }
        Assert.True(File.Exists(Path.ChangeExtension(package.FullName, ".snupkg")));

        WriteProject(folder, feed, name, version);
        folder.Write("Program.cs", $$"""
            var builder = WebApplication.CreateSlimBuilder();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            builder.Services.AddReverseProxy().{{step}}();
            await using var app = builder.Build();
            {{route}}
            try
            {
                await app.StartAsync();
            }
            catch (ProxyKit.ProxyConfigurationException e)
            {
                Console.WriteLine("refused: " + e.Message);
            }
            """);
        return await RunningProgram.DotnetAsync(folder.Path, "run", "--project", "Scratch.csproj");
    }

    private static FileInfo Newest(string feed, string name) =>
        new DirectoryInfo(feed).GetFiles($"{name}.*.nupkg").Where(f => char.IsAsciiDigit(f.Name[name.Length + 1])).MaxBy(f => f.LastWriteTimeUtc)!;

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
        WriteProject(folder, feed, "ProxyKit", version);
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

        await CheckSpinningAsync(folder);
    }

    // Idle threads of the pool do not spin, unless the app has said how long they should.
    private static async Task CheckSpinningAsync(TemporaryFolder folder)
    {
        var config = JsonNode.Parse(await File.ReadAllTextAsync(folder.Combine("bin", "Debug", "net10.0", "Scratch.runtimeconfig.json")))!;
        Assert.Equal(0, config["runtimeOptions"]!["configProperties"]![SpinLimit]!.GetValue<int>());

        Assert.Equal("70", await SpinLimitAsync(folder, "-p:ThreadPoolSpinCount=70"));

        folder.Write("Directory.Build.props", $"""
            <Project>
              <ItemGroup>
                <RuntimeHostConfigurationOption Include="{SpinLimit}" Value="7" />
              </ItemGroup>
            </Project>
            """);
        Assert.Equal("7", await SpinLimitAsync(folder));
    }

    private static async Task<string> SpinLimitAsync(TemporaryFolder folder, params string[] arguments)
    {
        var items = await RunningProgram.DotnetAsync(folder.Path, ["msbuild", "Scratch.csproj", "-getItem:RuntimeHostConfigurationOption", "-nodeReuse:false", .. arguments]);
        var options = JsonNode.Parse(items)!["Items"]!["RuntimeHostConfigurationOption"]!.AsArray();
        return Assert.Single(options, o => o!["Identity"]!.GetValue<string>() == SpinLimit)!["Value"]!.GetValue<string>();
    }

    private static void WriteProject(TemporaryFolder folder, string feed, string name, string version)
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
                <PackageReference Include="{name}" Version="[{version}]" />
              </ItemGroup>
            </Project>
            """);
    }
}
