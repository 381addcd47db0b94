// A gateway that is one native binary: dotnet publish samples/AotGateway -r linux-x64, then
//   AotGateway --urls http://localhost:8080 --upstream http://localhost:5001
var builder = WebApplication.CreateSlimBuilder(args);
builder.Services.AddReverseProxy().LoadFromConfig(builder.Configuration.GetSection("ReverseProxy"));

var app = builder.Build();
app.MapReverseProxy(); // what appsettings.json has in its ReverseProxy section, if anything
if (app.Configuration["upstream"] is { } upstream)
    app.MapProxy("/{**path}", upstream).WithAccessLog();
app.Run();
