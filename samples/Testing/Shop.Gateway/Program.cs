// A shop's gateway: a public catalog, and orders for who has signed in. Its rules are tested in Shop.Gateway.Tests.
var builder = WebApplication.CreateBuilder(args);
builder.Services.AddAuthentication("token").AddBearerToken("token");
builder.Services.AddAuthorization();
builder.Services.AddReverseProxy();

var app = builder.Build();

app.MapProxy("/catalog/{**path}", "http://catalog:8080")
   .WithTransforms(t => t.RemovePathPrefix("/catalog"));

app.MapProxy("/orders/{**path}", "http://orders:8080")
   .WithTimeouts(t => (t.Connect, t.FirstByte) = (TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(5)))
   .WithErrorPage("5xx", Path.Combine(app.Environment.ContentRootPath, "pages", "sorry.html"))
   .RequireAuthorization();

app.Run();
