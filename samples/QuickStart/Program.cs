// A reverse proxy on port 5000, and behind it two small servers in the same process so that there is something to try.
using QuickStart;

await using var hello = await Backend.StartAsync("hello", 5001);
await using var shop = await Backend.StartAsync("shop", 5002);

var builder = WebApplication.CreateBuilder(args);
builder.WebHost.UseUrls("http://localhost:5000");
builder.Services.AddReverseProxy()
    .AddCluster("shop", c => c.To("http://localhost:5002"));

var app = builder.Build();

app.MapGet("/about", () => "This is the app's own endpoint; the proxy is an addition to it.\n");

// One line is a proxy.
app.MapProxy("/{**path}", "http://localhost:5001");

// Every step from there is one more line. The upstream sees /cart, not /shop/cart; redirects and cookies come back under /shop.
app.MapProxy("/shop/{**path}", "shop")
   .WithTransforms(t => t.RemovePathPrefix("/shop").SetRequestHeader("X-Gateway", "quickstart"))
   .WithAccessLog();

// Nothing listens on port 5009: what a client sees of a broken upstream.
app.MapProxy("/broken/{**path}", "http://localhost:5009").WithProxyStatus();

await app.StartAsync();
Console.WriteLine("""

    The proxy listens on http://localhost:5000. Try:

      curl -i http://localhost:5000/                  the first upstream, seen through the proxy
      curl -i http://localhost:5000/about             the app's own endpoint
      curl -i http://localhost:5000/shop/cart         the second upstream, with its prefix removed and a header added
      curl -i http://localhost:5000/shop/login        a redirect and a cookie of the upstream's, rewritten to the public address
      curl -i http://localhost:5000/shop/events       server-sent events, passed on as they come
      curl -i http://localhost:5000/broken/           an upstream that is down: 502, and Proxy-Status says why

    Ctrl+C ends it.
    """);
await app.WaitForShutdownAsync();
