// A load balancer on port 5000, and behind it three small servers in the same process. Any of them misbehaves on command: see what clients notice of it.
using System.Globalization;
using LoadBalancing;
using ProxyKit;

// Are 5000 to 5003 taken? dotnet run --project samples/LoadBalancing -- --port 6000
var port = args is ["--port", var first] ? int.Parse(first, CultureInfo.InvariantCulture) : 5000;
var running = new List<IAsyncDisposable>();
var backends = new Dictionary<string, Backend>(StringComparer.OrdinalIgnoreCase);
foreach (var name in new[] { "one", "two", "three" })
    backends[name] = await Backend.StartAsync(name, port + backends.Count + 1, running);

var builder = WebApplication.CreateBuilder(args);
builder.WebHost.UseUrls($"http://localhost:{port}");
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning); // the proxy's own lines are those to look at
builder.Services.AddReverseProxy().AddCluster("shop", c => c
    .WithDestination($"http://localhost:{port + 1}", d => d.Name = "one")
    .WithDestination($"http://localhost:{port + 2}", d => d.Name = "two")
    .WithDestination($"http://localhost:{port + 3}", d => d.Name = "three")
    .WithLoadBalancing(LoadBalancingPolicies.RoundRobin)
    // A client that sends its cookie back stays with its destination.
    .WithSessionAffinity()
    // What fails is tried elsewhere, if it may be sent twice; what takes longer than two seconds has failed.
    .WithRetries(r => r.PerTryTimeout = TimeSpan.FromSeconds(2))
    // Asked every two seconds, and watched: three failures in a row, and a destination gets nothing for five seconds, then for longer.
    .WithHealthChecks(h =>
    {
        h.Active.Path = "/healthz";
        h.Active.Interval = TimeSpan.FromSeconds(2);
        h.Passive.ConsecutiveFailures = 3;
        h.Passive.FailureStatuses = "500-599";
        h.Passive.ReactivationPeriod = TimeSpan.FromSeconds(5);
        h.SlowStart = TimeSpan.FromSeconds(5);
    })
    // No more than two requests at once to each; what is more waits, up to ten seconds.
    .WithConcurrencyLimits(2));

var app = builder.Build();
app.MapProxy("/{**path}", "shop").WithAccessLog();

// What an operator does at run time. In a real app: RequireAuthorization().
app.MapGet("/operator/status", (IProxyControl control) => string.Concat(control.GetDestinations("shop").Select(d =>
    $"{d.Name,-6} {d.Mode,-11} {d.Health,-9} weight {d.EffectiveWeight:0.0}   {d.ActiveRequests} of {d.MaxConcurrentRequests} requests{(d.EjectedUntil is { } until ? $"   ejected until {until:T}" : "")}\n")));
app.MapPost("/operator/{name}/{mode}", (string name, DestinationMode mode, IProxyControl control) =>
    backends.ContainsKey(name) ? Results.Text($"{name} is in mode {control.SetMode("shop", name, mode).Mode}\n") : Results.NotFound());

// Not an operator's, but fate's: how the server behind the proxy behaves.
app.MapPost("/fate/{name}/{mood}", (string name, Mood mood) =>
{
    if (!backends.TryGetValue(name, out var backend))
        return Results.NotFound();
    backend.Mood = mood;
    return Results.Text($"{name} is {mood}\n");
});

await app.StartAsync();
Console.WriteLine($"""

    The load balancer listens on http://localhost:{port}. Try:

      curl http://localhost:{port}/                                 one, two and three take turns
      curl http://localhost:{port}/operator/status                  what the proxy knows of them

      curl -X POST http://localhost:{port}/fate/three/Failing       three answers every request with 503 ...
      curl http://localhost:{port}/                                 ... and no client sees it: see attempts=2 in the log, then the ejection
      curl -X POST http://localhost:{port}/fate/three/Well          a few seconds later it is back (longer each time), with a share that grows again

      curl -X POST http://localhost:{port}/fate/three/Down          three drops every connection: its health check notices
      curl -X POST http://localhost:{port}/fate/three/Stalling      three does not answer: after two seconds another one does
      curl -X POST http://localhost:{port}/fate/three/Well          well again, before you try the rest

      curl -c jar -b jar http://localhost:{port}/                   a session: the same destination each time, two perhaps
      curl -X POST http://localhost:{port}/operator/two/Drain       two gets no new sessions, but keeps those that it has
      curl -X POST http://localhost:{port}/operator/two/Ready       and takes part again

      seq 20 | xargs -P 20 -I_ curl -s http://localhost:{port}/work/1    20 at once, 6 at a time: the others wait their turn

    Ctrl+C ends it.
    """);
await app.WaitForShutdownAsync();
foreach (var backend in running)
    await backend.DisposeAsync();
