using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ProxyKit.Tests.InternalRedirects;

/// <summary><c>X-Accel-Redirect</c>, as nginx has it.</summary>
public sealed class InternalRedirectTests : IDisposable
{
    private readonly SiteWithFiles _site = new();

    public void Dispose() => _site.Dispose();

    [Fact]
    public async Task A_file_takes_the_place_of_the_response()
    {
        _site.Answering("X-Accel-Redirect", "/protected/report.pdf");
        await using var app = await _site.StartAsync();

        var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("0123456789", await response.Content.ReadAsStringAsync());
        Assert.Equal(10, response.Content.Headers.ContentLength);
        Assert.Equal("application/pdf", response.Content.Headers.ContentType!.ToString());
        Assert.Equal("bytes", response.Headers.AcceptRanges.ToString());
        Assert.NotNull(response.Headers.ETag);
        Assert.Equal(File.GetLastWriteTimeUtc(Path.Combine(_site.Files, "report.pdf")), response.Content.Headers.LastModified!.Value.UtcDateTime, TimeSpan.FromSeconds(1));
        Assert.False(response.Headers.Contains("X-Accel-Redirect"));
    }

    // PHP sends an empty one for default_mimetype="".
    [Fact]
    public async Task An_empty_Content_Type_is_replaced_by_that_of_the_file()
    {
        _site.Answering("X-Accel-Redirect", "/protected/report.pdf", response => response.Content.Headers.TryAddWithoutValidation("Content-Type", ""));
        await using var app = await _site.StartAsync();

        var response = await app.Client.GetAsync("/");

        Assert.Equal("application/pdf", response.Content.Headers.ContentType!.ToString());
    }

    [Fact]
    public async Task What_the_upstream_says_about_the_file_is_kept_and_what_it_says_about_its_own_body_is_not()
    {
        _site.Answering("X-Accel-Redirect", "/protected/report.pdf", response =>
        {
            response.Content.Headers.ContentType = new("application/x-report");
            response.Content.Headers.ContentDisposition = new("attachment") { FileName = "yours.pdf" };
            response.Content.Headers.Expires = DateTimeOffset.UnixEpoch;
            response.Content.Headers.LastModified = DateTimeOffset.UnixEpoch;
            response.Content.Headers.ContentEncoding.Add("br");
            response.Headers.CacheControl = new() { Private = true };
            response.Headers.ETag = new("\"theirs\"");
            response.Headers.TryAddWithoutValidation("Set-Cookie", "seen=1");
            response.Headers.TryAddWithoutValidation("Content-Security-Policy", "sandbox");
        });
        await using var app = await _site.StartAsync();

        var response = await app.Client.GetAsync("/");

        Assert.Equal("application/x-report", response.Content.Headers.ContentType!.ToString());
        Assert.Equal("attachment; filename=yours.pdf", response.Content.Headers.ContentDisposition!.ToString());
        Assert.Equal(DateTimeOffset.UnixEpoch, response.Content.Headers.Expires);
        Assert.Equal("private", response.Headers.CacheControl!.ToString());
        Assert.Equal(["seen=1"], response.Headers.GetValues("Set-Cookie"));
        Assert.Equal(["sandbox"], response.Headers.GetValues("Content-Security-Policy"));
        Assert.NotEqual("\"theirs\"", response.Headers.ETag!.Tag);
        Assert.True(response.Content.Headers.LastModified > DateTimeOffset.UnixEpoch.AddYears(1));
        Assert.Empty(response.Content.Headers.ContentEncoding);
        Assert.Equal("0123456789", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_range_of_it_can_be_had()
    {
        _site.Answering("X-Accel-Redirect", "/protected/report.pdf");
        await using var app = await _site.StartAsync();

        var response = await app.Client.SendAsync(new(HttpMethod.Get, "/") { Headers = { Range = new RangeHeaderValue(2, 4) } });

        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        Assert.Equal("234", await response.Content.ReadAsStringAsync());
        Assert.Equal("bytes 2-4/10", response.Content.Headers.ContentRange!.ToString());
    }

    [Fact]
    public async Task A_client_that_has_it_already_is_told_so()
    {
        _site.Answering("X-Accel-Redirect", "/protected/report.pdf");
        await using var app = await _site.StartAsync();
        var tag = (await app.Client.GetAsync("/")).Headers.ETag!;

        var response = await app.Client.SendAsync(new(HttpMethod.Get, "/") { Headers = { IfNoneMatch = { tag } } });

        Assert.Equal(HttpStatusCode.NotModified, response.StatusCode);
        _site.Write("files/report.pdf", "changed, and longer");
        Assert.Equal(HttpStatusCode.OK, (await app.Client.SendAsync(new(HttpMethod.Get, "/") { Headers = { IfNoneMatch = { tag } } })).StatusCode);
    }

    [Fact]
    public async Task HEAD_gets_its_headers_only_and_POST_gets_it_whole()
    {
        _site.Answering("X-Accel-Redirect", "/protected/report.pdf");
        await using var app = await _site.StartAsync();

        var head = await app.Client.SendAsync(new(HttpMethod.Head, "/"));
        var post = await app.Client.PostAsync("/", new StringContent("question"));

        Assert.Equal(10, head.Content.Headers.ContentLength);
        Assert.Empty(await head.Content.ReadAsStringAsync());
        Assert.Equal("0123456789", await post.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task The_status_is_that_of_a_file()
    {
        _site.Answering("X-Accel-Redirect", "/protected/report.pdf", response =>
        {
            response.StatusCode = HttpStatusCode.Found;
            response.Headers.Location = new("/elsewhere", UriKind.Relative);
        });
        await using var app = await _site.StartAsync();

        var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Null(response.Headers.Location);
    }

    [Theory]
    [InlineData("/protected/deep/er.txt", "deeper")]
    [InlineData("/protected//deep///er.txt", "deeper")]
    [InlineData("/protected/deep%2Fer.txt", "deeper")]
    [InlineData("/%70rotected/deep/er.txt", "deeper")]
    [InlineData("/protected/deep/er.txt?download=1", "deeper")]
    [InlineData("/protected/%C3%BCmlaut%20+%25.txt", "umlaut")]
    [InlineData("/protected/\u00c3\u00bcmlaut +%25.txt", "umlaut")] // UTF-8, as fields are read
    public async Task A_path_is_decoded_once(string target, string expected)
    {
        _site.Answering("X-Accel-Redirect", target);
        await using var app = await _site.StartAsync();

        Assert.Equal(expected, await app.Client.GetStringAsync("/"));
    }

    [Theory]
    [InlineData("/protected/../secret.txt")]
    [InlineData("/protected/deep/../../secret.txt")]
    [InlineData("/protected/deep/../report.pdf")]
    [InlineData("/protected/./report.pdf")]
    [InlineData("/protected/%2e%2e/secret.txt")]
    [InlineData("/protected/%2e%2e%2fsecret.txt")]
    [InlineData("/protected/..%2fsecret.txt")]
    [InlineData("/protected/%252e%252e/secret.txt")]
    [InlineData("/protected/..\\secret.txt")]
    [InlineData("/protected/..%5csecret.txt")]
    [InlineData("/protected../secret.txt")]
    [InlineData("/protected%2e%2e/secret.txt")]
    [InlineData("/protected-old/report.pdf")]
    [InlineData("/protected")]
    [InlineData("/protected/")]
    [InlineData("/protected/deep")]
    [InlineData("/protected/deep/")]
    [InlineData("/protected/report.pdf/")]
    [InlineData("/protected/report.pdf%00.txt")]
    [InlineData("/protected/report.pdf%0a")]
    [InlineData("/protected/report.pdf%")]
    [InlineData("/protected/report.pdf%2")]
    [InlineData("/protected/report%zz.pdf")]
    [InlineData("/protected/%ff")]
    [InlineData("/protected/\u00fcmlaut +%25.txt")] // latin-1
    [InlineData("/protected/.env")]
    [InlineData("/protected/%2eenv")]
    [InlineData("/protected/.git/config")]
    [InlineData("/protected/missing.pdf")]
    [InlineData("/PROTECTED/report.pdf")]
    [InlineData("/report.pdf")]
    [InlineData("/elsewhere/report.pdf")]
    [InlineData("/etc/passwd")]
    [InlineData("//protected.example/report.pdf")]
    [InlineData("http://internal/protected/report.pdf")]
    [InlineData("file:///etc/passwd")]
    [InlineData("@named")]
    [InlineData("protected/report.pdf")]
    [InlineData("?")]
    public async Task What_is_no_file_below_the_folder_is_not_found(string target)
    {
        _site.Answering("X-Accel-Redirect", target);
        await using var app = await _site.StartAsync();

        var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsStringAsync());
        Assert.False(response.Headers.Contains("X-Accel-Redirect"));
        Assert.Contains(target, Assert.Single(SiteWithFiles.Logged(app, "InternalFileRefused")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_of_them_are_none()
    {
        _site.Answering("X-Accel-Redirect", "/protected/report.pdf", response => response.Headers.TryAddWithoutValidation("X-Accel-Redirect", "/protected/deep/er.txt"));
        await using var app = await _site.StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync("/")).StatusCode);
    }

    [Theory]
    [InlineData("inside.txt", "deep/er.txt", "deeper")] // a link to what may be had anyway
    [InlineData("out.txt", "../secret.txt", null)]
    [InlineData("absolute.txt", "/etc/passwd", null)]
    [InlineData("hidden.txt", ".env", null)]
    [InlineData("circle.txt", "circle.txt", null)]
    [InlineData("gone.txt", "nowhere", null)]
    public async Task Links_are_followed_within_the_folder(string name, string target, string? expected)
    {
        File.CreateSymbolicLink(Path.Combine(_site.Files, name), target);
        _site.Answering("X-Accel-Redirect", "/protected/" + name);
        await using var app = await _site.StartAsync();

        var response = await app.Client.GetAsync("/");

        Assert.Equal(expected ?? "", await response.Content.ReadAsStringAsync());
        Assert.Equal(expected is null ? HttpStatusCode.NotFound : HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task A_linked_folder_does_not_lead_out_and_the_mapped_folder_may_be_a_link()
    {
        Directory.CreateSymbolicLink(Path.Combine(_site.Files, "up"), "..");
        Directory.CreateSymbolicLink(Path.Combine(_site.Root, "current"), "files");
        await using var app = await _site.StartAsync(route => route.WithInternalRedirect("/protected", Path.Combine(_site.Root, "current")));

        _site.Answering("X-Accel-Redirect", "/protected/up/secret.txt");
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync("/")).StatusCode);
        _site.Answering("X-Accel-Redirect", "/protected/up/files/report.pdf");
        Assert.Equal("0123456789", await app.Client.GetStringAsync("/"));
    }

    [Fact]
    public async Task An_empty_file_is_sent_and_a_pipe_blocks_nobody()
    {
        _site.Write("files/empty.txt", "");
        using (var mkfifo = System.Diagnostics.Process.Start("mkfifo", [Path.Combine(_site.Files, "pipe.txt")])!)
            await mkfifo.WaitForExitAsync();
        await using var app = await _site.StartAsync();

        _site.Answering("X-Accel-Redirect", "/protected/empty.txt");
        var response = await app.Client.GetAsync("/");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(0, response.Content.Headers.ContentLength);
        Assert.Equal("text/plain", response.Content.Headers.ContentType!.ToString());
        _site.Answering("X-Accel-Redirect", "/protected/pipe.txt");
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync("/")).StatusCode);
    }

    [Fact]
    public async Task The_longest_prefix_that_fits_names_the_folder()
    {
        await using var app = await _site.StartAsync(route => route.WithInternalRedirect("/", Path.Combine(_site.Root, "files-old")).WithInternalRedirect("/a/", _site.Files).WithInternalRedirect("/a/b", Path.Combine(_site.Files, "deep")));

        _site.Answering("X-Accel-Redirect", "/a/b/er.txt");
        Assert.Equal("deeper", await app.Client.GetStringAsync("/"));
        _site.Answering("X-Accel-Redirect", "/a/report.pdf");
        Assert.Equal("0123456789", await app.Client.GetStringAsync("/"));
        _site.Answering("X-Accel-Redirect", "/report.pdf");
        Assert.Equal("secret", await app.Client.GetStringAsync("/"));
    }

    [Fact]
    public async Task What_a_client_sends_has_no_effect()
    {
        HttpRequestMessage? received = null;
        _site.Answer = request =>
        {
            received = request;
            return new() { Content = new StringContent("the upstream's own") };
        };
        await using var app = await _site.StartAsync(route => route.WithInternalRedirect("/protected/", _site.Files).WithSendFile(_site.Files));

        var request = new HttpRequestMessage(HttpMethod.Get, "/protected/report.pdf");
        request.Headers.Add("X-Accel-Redirect", "/protected/report.pdf");
        request.Headers.Add("X-Sendfile", Path.Combine(_site.Files, "report.pdf"));
        request.Headers.Add("X-Accel-Mapping", $"{_site.Files}=/protected");
        request.Headers.Add("X-Sendfile-Type", "X-Accel-Redirect");

        Assert.Equal("the upstream's own", await (await app.Client.SendAsync(request)).Content.ReadAsStringAsync());
        Assert.False(received!.Headers.Contains("X-Accel-Mapping"));
        Assert.False(received.Headers.Contains("X-Sendfile-Type"));
    }

    [Fact]
    public async Task A_route_that_allows_none_drops_the_field_and_says_so_once()
    {
        _site.Answering("X-Accel-Redirect", "/protected/report.pdf");
        await using var app = await _site.StartAsync(_ => { });

        foreach (var _ in new int[2])
        {
            var response = await app.Client.GetAsync("/");
            Assert.Equal("the upstream's own", await response.Content.ReadAsStringAsync());
            Assert.False(response.Headers.Contains("X-Accel-Redirect"));
        }
        Assert.Single(SiteWithFiles.Logged(app, "InternalFileIgnored"));
    }

    [Fact]
    public async Task The_upstream_is_free_before_the_file_is_sent()
    {
        _site.Answering("X-Accel-Redirect", "/protected/report.pdf");
        var active = -1;
        var headers = "";
        await using var app = await _site.StartAsync(use: app => app.Use(async (context, next) =>
        {
            context.Response.OnStarting(() =>
            {
                active = context.GetProxyContext()!.Destination!.ActiveRequests;
                headers = context.Response.Headers.ContentLength.ToString();
                return Task.CompletedTask;
            });
            await next(context);
        }));

        await app.Client.GetAsync("/");

        Assert.Equal("10", headers);
        Assert.Equal(0, active);
    }

    [Fact]
    public async Task The_routes_transforms_hold_for_files_too_and_one_that_answers_itself_wins()
    {
        _site.Answering("X-Accel-Redirect", "/protected/report.pdf");
        await using var app = await _site.StartAsync(route => route.WithInternalRedirect("/protected/", _site.Files).WithTransforms(t => t.SetResponseHeader("X-Frame-Options", "DENY").OnResponse(async transform =>
        {
            if (transform.HttpContext.Request.Path == "/own")
            {
                transform.SuppressResponseBody = true;
                await transform.HttpContext.Response.WriteAsync("my own");
            }
        })));

        var response = await app.Client.GetAsync("/");
        Assert.Equal("0123456789", await response.Content.ReadAsStringAsync());
        Assert.Equal(["DENY"], response.Headers.GetValues("X-Frame-Options"));
        Assert.Equal("my own", await app.Client.GetStringAsync("/own"));
    }

    [Fact]
    public async Task A_file_that_is_not_found_has_the_routes_error_page()
    {
        _site.Answering("X-Accel-Redirect", "/protected/missing");
        var page = _site.Write("404.html", "nothing here");
        await using var app = await _site.StartAsync(route => route.WithInternalRedirect("/protected/", _site.Files).WithErrorPage("404", page));

        var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal("nothing here", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task X_Sendfile_sends_what_is_in_its_folders()
    {
        Directory.CreateSymbolicLink(Path.Combine(_site.Root, "current"), "files");
        await using var app = await _site.StartAsync(route => route.WithSendFile(Path.Combine(_site.Root, "current")));

        foreach (var folder in new[] { "files", "current" })
        {
            _site.Answering("X-Sendfile", Path.Combine(_site.Root, folder, "report.pdf"));
            var response = await app.Client.SendAsync(new(HttpMethod.Get, "/") { Headers = { Range = new RangeHeaderValue(8, null) } });
            Assert.Equal("89", await response.Content.ReadAsStringAsync());
            Assert.False(response.Headers.Contains("X-Sendfile"));
        }
    }

    [Theory]
    [InlineData("{root}/secret.txt")]
    [InlineData("{root}/files/../secret.txt")]
    [InlineData("{root}/files/%2e%2e/secret.txt")]
    [InlineData("{root}/files-old/report.pdf")]
    [InlineData("{root}/files/.env")]
    [InlineData("{root}/files/out.txt")]
    [InlineData("{root}/files")]
    [InlineData("{root}/files/")]
    [InlineData("/etc/passwd")]
    [InlineData("report.pdf")]
    public async Task X_Sendfile_sends_nothing_else(string path)
    {
        path = path.Replace("{root}", _site.Root, StringComparison.Ordinal);
        File.CreateSymbolicLink(Path.Combine(_site.Files, "out.txt"), "../secret.txt");
        _site.Answering("X-Sendfile", path);
        await using var app = await _site.StartAsync(route => route.WithSendFile(_site.Files));

        var response = await app.Client.GetAsync("/");

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Each_of_the_two_fields_needs_its_own_consent()
    {
        await using var app = await _site.StartAsync(route => route.WithSendFile(_site.Files));
        _site.Answering("X-Accel-Redirect", Path.Combine(_site.Files, "report.pdf"));
        Assert.Equal("the upstream's own", await app.Client.GetStringAsync("/"));

        await using var other = await _site.StartAsync();
        _site.Answering("X-Sendfile", Path.Combine(_site.Files, "report.pdf"));
        Assert.Equal("the upstream's own", await other.Client.GetStringAsync("/"));
    }

    [Theory]
    [InlineData("protected/", "{files}", "InternalRedirects: 'protected/' is not the beginning of a path")]
    [InlineData("/a/../b/", "{files}", "InternalRedirects: '/a/../b/' is not the beginning of a path")]
    [InlineData("/a%20b/", "{files}", "InternalRedirects: '/a%20b/' is not the beginning of a path")]
    [InlineData("/a//b/", "{files}", "InternalRedirects: '/a//b/' is not the beginning of a path")]
    [InlineData("/protected/", "{files}/missing", "missing' does not exist")]
    [InlineData("/protected/", "{files}/report.pdf", "report.pdf' does not exist")]
    [InlineData("/protected/", "/", "'/' is the whole machine")]
    [InlineData("", "/", "SendFile: '/' is the whole machine")]
    [InlineData("", "{files}/missing", "missing' does not exist")]
    public async Task What_cannot_be_meant_is_refused_at_start_up(string prefix, string folder, string expected)
    {
        folder = folder.Replace("{files}", _site.Files, StringComparison.Ordinal);
        var error = Assert.Single(await Misconfigured.ErrorsAsync(app =>
        {
            var route = app.MapProxy("/shop", ProxyApp.Upstream);
            _ = prefix.Length == 0 ? route.WithSendFile(folder) : route.WithInternalRedirect(prefix, folder);
        }));

        Assert.StartsWith("Route '/shop': ", error, StringComparison.Ordinal);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }
}
