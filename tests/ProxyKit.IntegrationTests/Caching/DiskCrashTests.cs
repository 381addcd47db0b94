using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using ProxyKit.Caching.Disk;
using ProxyKit.DiskCrash;

namespace ProxyKit.IntegrationTests.Caching;

/// <summary>A process that is killed while it stores, updates, removes and purges leaves a store in which every response is whole or absent.</summary>
[Collection("programs")]
public sealed class DiskCrashTests
{
    private const int Kills = 50;

    [Fact]
    public async Task Fifty_kills_at_random_moments_leave_nothing_that_is_not_whole()
    {
        using var folder = new TemporaryFolder();
        int found = 0, temporary = 0;
        for (var i = 0; i < Kills; i++)
        {
            await using (var program = RunningProgram.Start(DotnetPath, folder.Path, ProgramPath, folder.Path))
            {
                await program.WaitForAsync("^under load");
                await Task.Delay(Random.Shared.Next(120)); // a random moment is what is tested
                Assert.True(program.Kill(), program.Output); // it had not ended by itself
            }
            temporary += Directory.GetFiles(folder.Path, "*.tmp", SearchOption.AllDirectories).Length;
            found += await CheckAsync(folder.Path);
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{Kills} kills: {found} responses found whole afterwards, {temporary} temporary files cleared");
        Assert.True(found > 10 * Kills, $"only {found} responses were found: the program does too little");
    }

    private static async Task<int> CheckAsync(string folder)
    {
        using var logs = new FakeLoggerProvider();
        using var loggers = LoggerFactory.Create(logging => logging.AddProvider(logs));
        var options = new ReverseProxyOptions();
        (options.Cache.Directory, options.Cache.MaxDisk) = (folder, CrashContent.Limit);
        using var store = new DiskCacheStore(Options.Create(options), loggers, TimeProvider.System);
        store.Prepare();

        // Half of the times before everything has been listed.
        if (Random.Shared.Next(2) == 0)
            await store.Listing;
        var found = 0;
        for (var i = 0; i < CrashContent.Keys; i++)
        {
            var key = CrashContent.Key(i);
            var responses = await store.FindAsync(key, default);
            Assert.Equal(responses.Count, responses.Select(r => r.Head.VariantKey).Distinct().Count());
            foreach (var response in responses)
            {
                var seed = CrashContent.SeedOf(response.Head);
                var expected = CrashContent.Head(key, seed);
                Assert.Equal(expected.Headers, response.Head.Headers);
                Assert.Equal(expected.Tags, response.Head.Tags);
                Assert.Equal(expected.VariantKey, response.Head.VariantKey);
                using var stream = new MemoryStream();
                using (var body = await response.OpenAsync(default))
                {
                    Assert.NotNull(body);
                    var target = System.IO.Pipelines.PipeWriter.Create(stream, new(leaveOpen: true));
                    await body.CopyToAsync(target, 0, response.Length, default);
                    await target.CompleteAsync();
                }
                Assert.True(CrashContent.Body(key, seed).AsSpan().SequenceEqual(stream.ToArray()), $"{key}: a body is not what was stored");
                found++;
            }
        }

        await store.Listing;
        await store.Clearing;
        // Killed, not cut off from power: nothing may have been torn, so nothing was dropped either.
        Assert.Equal(0, store.DamagedCount);
        Assert.DoesNotContain(logs.Collector.GetSnapshot(), record => record.Level >= LogLevel.Warning);
        Assert.Equal(found, store.Count);
        var root = Path.Combine(folder, "proxykit-cache");
        Assert.Equal(["entries", "lock", "state"], Directory.GetFileSystemEntries(root).Select(Path.GetFileName).Order());
        var files = Directory.GetFiles(Path.Combine(root, "entries"), "*", SearchOption.AllDirectories);
        Assert.DoesNotContain(files, file => file.EndsWith(".tmp", StringComparison.Ordinal));
        Assert.All(files.Where(file => file.EndsWith(".body", StringComparison.Ordinal)), body => Assert.Contains(body[..^".body".Length], files));
        Assert.Equal(files.Sum(file => (new FileInfo(file).Length + 4095) / 4096 * 4096), store.Size);

        await using (var writer = (await store.CreateAsync("works", CrashContent.Head("works", 3), null, 1, default))!)
        {
            await writer.WriteAsync(CrashContent.Body("works", 3), default);
            Assert.True(await writer.CommitAsync(default));
        }
        await store.RemoveAsync("works", Assert.Single(await store.FindAsync("works", default)), default);
        return found;
    }

    private static string DotnetPath => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    private static string ProgramPath =>
        Repository.Path("tests", "ProxyKit.DiskCrash", "bin", new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, "net10.0", "ProxyKit.DiskCrash.dll"); // bin/Debug/net10.0
}
