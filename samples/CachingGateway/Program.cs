// A proxy with a cache on port 5000, and behind it a slow shop in the same process. A page at / shows live what the cache keeps away from it.
using System.Globalization;
using System.Text.Json.Serialization;
using CachingGateway;
using ProxyKit;

// Are 5000 and 5001 taken? dotnet run --project samples/CachingGateway -- --port 6000
var port = args is ["--port", var first] ? int.Parse(first, CultureInfo.InvariantCulture) : 5000;
var shop = new Backend();
await using var shopServer = await shop.StartAsync(port + 1);
using var statistics = new Statistics(shop);

var builder = WebApplication.CreateBuilder(args);
builder.WebHost.UseUrls($"http://localhost:{port}");
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
builder.Services.ConfigureHttpJsonOptions(o => o.SerializerOptions.Converters.Add(new JsonStringEnumConverter()));
builder.Services.AddReverseProxy();

var app = builder.Build();

// One line is a cache that heeds what the shop says. The rest is for what the shop does not say.
app.MapProxy("/shop/{**path}", $"http://localhost:{port + 1}")
   .WithCache(c =>
   {
       // What says nothing of its lifetime, the news, is fresh for half a minute.
       c.DefaultTimeToLive = TimeSpan.FromSeconds(30);
       // Where a visitor comes from makes no other page of it.
       c.Key.IgnoredQueryParameters.Add("utm_*");
   });

// From this machine only, unless it has authorization: .RequireAuthorization("operators").
app.MapCachePurge("/shop/{**path}");

// In a real app: RequireAuthorization() on all of these.
app.MapPost("/purge/{tag}", async (string tag, IProxyCache cache) => $"{await cache.PurgeTagAsync(tag, CachePurgeMode.Remove)} responses removed\n");
app.MapGet("/stats", () => statistics.Read());
app.MapPost("/fate/{mood}", (Mood mood) => $"the shop is {shop.Mood = mood}\n");

app.MapGet("/", () => Results.Stream(typeof(Statistics).Assembly.GetManifestResourceStream("page.html")!, "text/html; charset=utf-8"));

await app.StartAsync();
Console.WriteLine($"""

    The proxy listens on http://localhost:{port}. Open that in a browser, and see the hit ratio move while you try:

      curl -i http://localhost:{port}/shop/products/1                 half a second; Cache-Status says that it was stored
      curl -i http://localhost:{port}/shop/products/1                 at once: Cache-Status says "hit", Age how old it is
      curl -i http://localhost:{port}/shop/products/1?utm_source=x    the same, as utm_* do not count
      curl -i http://localhost:{port}/shop/news                       says nothing of its lifetime: half a minute, by the route
      curl -i http://localhost:{port}/shop/cart                       private: never stored, and Cache-Status says why
      curl -i -r 0-9 http://localhost:{port}/shop/catalogue.pdf       a range; the whole is asked for once, and ranges are cut from it

      seq 20 | xargs -P 20 -I_ curl -s http://localhost:{port}/shop/products/2     20 at once, one request to the shop

      curl -i -X POST http://localhost:{port}/shop/products/1         a new price: what is stored of this article is gone
      curl -i -X PURGE http://localhost:{port}/shop/products/2        purged by its URL
      curl -i -X POST http://localhost:{port}/purge/products          all articles, by their tag

      curl -i -X POST http://localhost:{port}/fate/Down               the shop drops every connection ...
      curl -i http://localhost:{port}/shop/products/1                 ... and what is stored still answers, for a day
      curl -i -X POST http://localhost:{port}/fate/Well               well again

      curl http://localhost:{port}/stats                              what the page shows, as JSON

    Ctrl+C ends it.
    """);
await app.WaitForShutdownAsync();
