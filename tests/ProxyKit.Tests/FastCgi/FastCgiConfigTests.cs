using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests.FastCgi;

/// <summary>Sites that an app must not start with.</summary>
public sealed class FastCgiConfigTests : IDisposable
{
    private readonly SiteFolder _site = new("index.php");

    public void Dispose() => _site.Dispose();

    [Theory]
    [InlineData("'Root': 'www/html'", "Root 'www/html' is not an absolute path")]
    [InlineData("'Root': ''", "Root '' is not an absolute path")]
    [InlineData("'Root': '/nowhere/on/this/machine'", "set CheckScript to false")]
    [InlineData("'Extensions': []", "Extensions are empty")]
    [InlineData("'Extensions': [ 'php' ], 'Index': 'index.php'", "Extensions: 'php'")]
    [InlineData("'Extensions': [ '.' ]", "Extensions: '.'")]
    [InlineData("'Extensions': [ '.php', './x' ]", "Extensions: './x'")]
    [InlineData("'Index': 'a/index.php'", "Index 'a/index.php'")]
    [InlineData("'Index': 'a\\\\index.php'", "Index 'a\\index.php'")]
    [InlineData("'Index': 'index.html'", "Index 'index.html' is not the name of a script. Allowed are file names that end with .php")]
    [InlineData("'Index': '.php'", "Index '.php'")]
    [InlineData("'Extensions': [ '.phtml', '.php5' ]", "end with .phtml or .php5")]
    [InlineData("'Parameters': { 'A B': 'c' }", "'A B' is not the name of a parameter")]
    [InlineData("'Parameters': { '1A': 'c' }", "'1A' is not the name of a parameter")]
    [InlineData("'Parameters': { 'X-A': 'c' }", "'X-A' is not the name of a parameter")]
    [InlineData("'Parameters': { 'content_length': '5' }", "CONTENT_LENGTH cannot be set")]
    [InlineData("'CheckScript': false, 'ResolveRoot': true", "ResolveRoot needs the files")]
    [InlineData("'CheckScript': false, 'SymbolicLinks': 'WithinRoot'", "SymbolicLinks: WithinRoot needs the files")]
    public async Task A_bad_value_is_named_with_its_route(string site, string error)
    {
        var errors = await Misconfigured.JsonErrorsAsync(Settings(site, "fastcgi://localhost:9000"));

        Assert.Contains(error, Assert.Single(errors), StringComparison.Ordinal);
        Assert.StartsWith("Route 'php': FastCgi: ", errors[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_errors_are_told_at_once() =>
        Assert.Equal(3, (await Misconfigured.JsonErrorsAsync(Settings("'Root': 'x', 'Extensions': [ '.php', 'b' ], 'Index': 'c', 'Parameters': { '': 'd' }", "fastcgi://localhost:9000"))).Count);

    [Fact]
    public async Task A_cluster_that_speaks_HTTP_has_no_scripts()
    {
        var errors = await Misconfigured.JsonErrorsAsync(Settings("'CheckScript': true", "http://localhost:9000"));

        Assert.Equal("Route 'php' has FastCgi, but cluster 'php' speaks HTTP. Write fastcgi://host:9000 or fastcgi://unix:/path/to/socket for its destinations, or take FastCgi away.", Assert.Single(errors));
    }

    [Theory]
    [InlineData("127.0.0.1:9000", "fastcgi://127.0.0.1:9000")]
    [InlineData("unix:/run/php.sock", "fastcgi://unix:/run/php.sock")]
    [InlineData("unix//run/php.sock", "fastcgi://unix:/run/php.sock")]
    [InlineData("/run/php.sock", "fastcgi://unix:/run/php.sock")]
    public async Task An_address_as_other_servers_write_it_is_told_how_it_is_written_here(string address, string meant)
    {
        var exception = await Assert.ThrowsAsync<ProxyConfigurationException>(() => ProxyApp.StartAsync(s => s.AddReverseProxy(), a => a.MapPhp(_site.Root, address)));

        Assert.Contains($"it needs a scheme: {meant}.", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cluster_that_takes_a_share_may_speak_it()
    {
        await using var app = await ProxyApp.StartAsync(
            s => s.AddReverseProxy().AddCluster("php", c => c.To("fastcgi://localhost:9000")),
            a => a.MapProxy("/{**path}", "http://localhost:5001").WithFastCgi(_site.Root).WithSplit("php", 5));

        Assert.DoesNotContain(app.Logs.GetSnapshot(), record => record.Level >= Microsoft.Extensions.Logging.LogLevel.Error);
    }

    [Fact]
    public async Task A_root_elsewhere_needs_no_folder_here()
    {
        await using var app = await CgiApp.StartAsync(site => (site.Root, site.CheckScript) = (@"D:\www\site", false));

        Assert.Equal(200, await app.GetAsync("/x.php"));
        Assert.Equal(@"D:\www\site/x.php", app["SCRIPT_FILENAME"]);
    }

    [Fact]
    public async Task A_delegates_name_is_checked_as_well()
    {
        var errors = await Misconfigured.ErrorsAsync(app => app.MapProxy("/{**path}", CgiApp.Address).WithFastCgi(site => site.SetParameter("A-B", _ => "c")));

        Assert.Contains("'A-B' is not the name of a parameter", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_parameter_has_one_value()
    {
        var errors = await Misconfigured.ErrorsAsync(app => app.MapProxy("/{**path}", CgiApp.Address).ConfigureRoute(route => route with
        {
            FastCgi = new() { Parameters = new([new("A", "b")]), ComputedParameters = [new("a", _ => "c")] },
        }));

        Assert.Contains("the parameter 'A' has two values", Assert.Single(errors), StringComparison.Ordinal);
    }

    private static string Settings(string site, string address) => $$"""
        { 'Routes': { 'php': { 'ClusterId': 'php', 'Match': { 'Path': '/{**path}' }, 'FastCgi': { {{site}} } } },
          'Clusters': { 'php': { 'Destinations': { 'one': { 'Address': '{{address}}' } } } } }
        """;
}
