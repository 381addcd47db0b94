// A reverse proxy on port 5000, and behind it two small servers in the same process so that there is something to try.
using System.Globalization;
using QuickStart;

// Are 5000 to 5002 taken? dotnet run --project samples/QuickStart -- --port 6000
var port = args is ["--port", var first] ? int.Parse(first, CultureInfo.InvariantCulture) : 5000;
await using var hello = await Backend.StartAsync("hello", port + 1);
await using var shop = await Backend.StartAsync("shop", port + 2);

var builder = WebApplication.CreateBuilder(args);
builder.WebHost.UseUrls($"http://localhost:{port}");
builder.Services.AddReverseProxy()
    .AddCluster("shop", c => c.To($"http://localhost:{port + 2}"));

var app = builder.Build();

app.MapGet("/about", () => "This is the app's own endpoint; the proxy is an addition to it.\n");

// One line is a proxy.
app.MapProxy("/{**path}", $"http://localhost:{port + 1}");

// Every step from there is one more line. The upstream sees /cart, not /shop/cart; redirects and cookies come back under /shop.
app.MapProxy("/shop/{**path}", "shop")
   .WithTransforms(t => t.RemovePathPrefix("/shop").SetRequestHeader("X-Gateway", "quickstart"))
   .WithAccessLog();

// Nothing listens there: what a client sees of a broken upstream.
app.MapProxy("/broken/{**path}", $"http://localhost:{port + 9}").WithProxyStatus();

await app.StartAsync();
Console.WriteLine($"""

    The proxy listens on http://localhost:{port}. Try:

      curl -i http://localhost:{port}/                  the first upstream, seen through the proxy
      curl -i http://localhost:{port}/about             the app's own endpoint
      curl -i http://localhost:{port}/shop/cart         the second upstream, with its prefix removed and a header added
      curl -i http://localhost:{port}/shop/login        a redirect and a cookie of the upstream's, rewritten to the public address
      curl -i http://localhost:{port}/shop/events       server-sent events, passed on as they come
      curl -i http://localhost:{port}/broken/           an upstream that is down: 502, and Proxy-Status says why

    Ctrl+C ends it.
    """);
await app.WaitForShutdownAsync();
