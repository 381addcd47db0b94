using Microsoft.Extensions.DependencyInjection;
using ProxyKit;
using ProxyKit.DiskCrash;

// Stores, finds, updates, removes and purges as fast as it can, in the folder that is given, until it is killed.
using var services = new ServiceCollection()
    .AddReverseProxy(options => (options.Cache.Directory, options.Cache.MaxDisk) = (args[0], CrashContent.Limit)).Services
    .BuildServiceProvider();
var store = services.GetServices<IProxyCacheStore>().Single(s => s.Name == CacheStores.Disk);
var operations = 0;

await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
{
    var random = new Random();
    while (true)
    {
        var key = CrashContent.Key(random.Next(CrashContent.Keys));
        switch (random.Next(100))
        {
            case < 60:
                var seed = random.Next();
                await using (var writer = await store.CreateAsync(key, CrashContent.Head(key, seed), null, 3, default))
                {
                    var body = CrashContent.Body(key, seed);
                    for (var i = 0; i < body.Length; i += 20_000)
                        await writer!.WriteAsync(body.AsMemory(i, Math.Min(20_000, body.Length - i)), default);
                    await writer!.CommitAsync(default);
                }
                break;
            case < 85:
                foreach (var response in await store.FindAsync(key, default))
                    await store.UpdateAsync(key, response, response.Head with { StatusCode = 203, IsInvalid = false }, default);
                break;
            case < 90:
                foreach (var response in await store.FindAsync(key, default))
                    await store.RemoveAsync(key, response, default);
                break;
            case < 97:
                await store.PurgeAsync(new(CachePurgeKind.Key, key, random.Next(2) == 0), default);
                break;
            case 97:
                await store.PurgeAsync(new(CachePurgeKind.Tag, $"{random.Next(20)}", random.Next(2) == 0), default);
                break;
            case 98:
                await store.PurgeAsync(new(CachePurgeKind.Prefix, $"https://example.com/{random.Next(10)}/", random.Next(2) == 0), default);
                break;
            default:
                await store.PurgeAsync(new(CachePurgeKind.All, "", random.Next(5) != 0), default);
                break;
        }
        if (Interlocked.Increment(ref operations) == 20)
            Console.WriteLine("under load");
    }
})));
