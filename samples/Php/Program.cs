// A PHP site on port 5000, with php-fpm behind it. The program starts a php-fpm of its own, and ends it.
using Php;

// Is 5000 taken, or are there several versions of PHP? dotnet run --project samples/Php -- --port 6000 --php-fpm /usr/sbin/php-fpm8.4
var options = new ConfigurationBuilder().AddCommandLine(args).Build();
var port = options.GetValue("port", 5000);
if (PhpFpm.Find(options["php-fpm"]) is not { } program)
{
    Console.Error.WriteLine(PhpFpm.Missing(options["php-fpm"]));
    return 1;
}

await using var php = await PhpFpm.StartAsync(program);

var builder = WebApplication.CreateBuilder(args);
builder.WebHost.UseUrls($"http://localhost:{port}");
builder.Services.AddReverseProxy();

var app = builder.Build();

app.MapGet("/about", () => "This is the app's own endpoint; the PHP site is an addition to it.\n");

// One line is a PHP site. php-fpm that runs already: app.MapPhp("/var/www/html", "fastcgi://unix:/run/php/php-fpm.sock");
app.MapPhp(Path.Combine(AppContext.BaseDirectory, "site"), php.Address);

await app.StartAsync();
Console.WriteLine($"""

    A PHP site, with {program} behind it. Open http://localhost:{port}/ in a browser, or try:

      curl -i http://localhost:{port}/                              a page; a session counts its visits
      curl -i -F file=@README.md http://localhost:{port}/           an upload: PHP is asked when it is here as a whole
      curl -i http://localhost:{port}/any/pretty/address            no such file, so the site's index.php answers
      curl -i http://localhost:{port}/server.php                    what PHP is told of a request
      curl -o big --limit-rate 100k http://localhost:{port}/big.php a slow client: PHP has finished long before it
      curl -i http://localhost:{port}/style.css                     a file: PHP is not asked
      curl -i http://localhost:{port}/.env                          a file that is not for visitors: 404
      curl -i http://localhost:{port}/about                         the app's own endpoint

    Ctrl+C ends it.
    """);
await app.WaitForShutdownAsync();
return 0;
