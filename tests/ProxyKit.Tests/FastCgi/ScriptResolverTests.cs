using Microsoft.Extensions.Time.Testing;
using ProxyKit.FastCgi;

namespace ProxyKit.Tests.FastCgi;

/// <summary>Which script a path names.</summary>
public sealed class ScriptResolverTests : IDisposable
{
    private readonly SiteFolder _site = new(
        "index.php", "x.php", "Caps.PHP", "empty/readme.txt", "blog/index.php", "blog/post.php", "uploads/evil.jpg", "evil.php.jpg", "foo.php/bar.php", "foo.php/index.php",
        "admin/secret.php", "with space.php", "ünï.php", "a.phtml", "../outside.php", "../root-secret/x.php", ".php");

    private readonly FakeTimeProvider _time = new();

    public void Dispose() => _site.Dispose();

    [Theory]
    [InlineData("/x.php", "/x.php", "")]
    [InlineData("/x.php/", "/x.php", "/")]
    [InlineData("/x.php/a/b", "/x.php", "/a/b")]
    [InlineData("/x.php//a//", "/x.php", "//a//")]
    [InlineData("/x.php/a.php", "/x.php", "/a.php")]
    [InlineData("/x.php/a%2Fb", "/x.php", "/a/b")]
    [InlineData("/x.php/a%5Cb", "/x.php", "/a\\b")]
    [InlineData("/x.php/%C3%BC%20%25", "/x.php", "/ü %")]
    [InlineData("/x%2Ephp", "/x.php", "")]
    [InlineData("/x%2ep%68p/a", "/x.php", "/a")]
    [InlineData("/", "/index.php", "")]
    [InlineData("/blog/", "/blog/index.php", "")]
    [InlineData("/blog/post.php", "/blog/post.php", "")]
    [InlineData("/Caps.PHP/a", "/Caps.PHP", "/a")]
    [InlineData("/with%20space.php", "/with space.php", "")]
    [InlineData("/%C3%BCn%C3%AF.php/x", "/ünï.php", "/x")]
    [InlineData("/foo.php/bar.php", "/foo.php/bar.php", "")] // a folder named like a script
    [InlineData("/foo.php/bar.php/a", "/foo.php/bar.php", "/a")]
    [InlineData("/foo.php/", "/foo.php/index.php", "")]
    [InlineData("/blog/../x.php", "/x.php", "")] // a transform's: a server has resolved the client's
    [InlineData("/../../x.php", "/x.php", "")]
    public void A_path_names_a_script(string path, string name, string pathInfo)
    {
        var script = Find(path);

        Assert.NotNull(script);
        Assert.Equal((name, pathInfo), (script.Name, script.PathInfo));
        Assert.Equal(_site.Root + name, script.FileName);
        Assert.Equal(_site.Root, script.Root);
    }

    [Theory]
    [InlineData("/nope.php")]
    [InlineData("/nope.php/x.php")]
    [InlineData("/blog")] // no slash: MapPhp redirects
    [InlineData("/empty/")]
    [InlineData("/empty/readme.txt")]
    [InlineData("/uploads/evil.jpg/x.php")]
    [InlineData("/uploads/evil.jpg/x.php/y.php")]
    [InlineData("/uploads/evil.jpg%2Fx.php")]
    [InlineData("/evil.php.jpg")]
    [InlineData("/x.php.")]
    [InlineData("/x.php%20")]
    [InlineData("/x.php::$DATA")]
    [InlineData("/x.php;.jpg")]
    [InlineData("/x.php%5C")]
    [InlineData("/x.php%5Cy.php")]
    [InlineData("/x.phpx")]
    [InlineData("/x.ph%70%E2%80%8B")] // a zero-width space behind
    [InlineData("/x%EF%BC%8Ephp")] // a full-width dot
    [InlineData("/a.phtml")]
    [InlineData("/.php")]
    [InlineData("//x.php")] // for routing, //admin is not /admin
    [InlineData("//admin/secret.php")]
    [InlineData("/admin//secret.php")]
    [InlineData("/admin%2Fsecret.php")]
    [InlineData("/admin%2fsecret.php")]
    [InlineData("/admin%5Csecret.php")]
    [InlineData("/x.php%2Fa")]
    [InlineData("%2Fx.php")]
    [InlineData("/blog%2F")]
    [InlineData("/foo.php")]
    [InlineData("/../outside.php")]
    [InlineData("/../root-secret/x.php")]
    [InlineData("/uploads/../../../../etc/x.php")]
    [InlineData("/..%5Coutside.php")]
    public void A_path_names_no_script(string path) => Assert.Null(Find(path));

    [Theory]
    [InlineData("/x.php/%00", 400)]
    [InlineData("/x.php%00.jpg", 400)]
    [InlineData("/x.php/%0aAAAA", 400)] // CVE-2019-11043
    [InlineData("/x.php/%0D", 400)]
    [InlineData("/x.php/%1F", 400)]
    [InlineData("/x.php/%7F", 400)]
    [InlineData("/x.php/%C2%85", 400)]
    [InlineData("/x.php/%", 400)]
    [InlineData("/x.php/%4", 400)]
    [InlineData("/x.php/%zz", 400)]
    [InlineData("/x.php/%u0041", 400)]
    [InlineData("/x.php/..%2F..%2Fetc/passwd", 400)]
    [InlineData("/uploads/..%2F..%2Foutside.php", 400)]
    [InlineData("/%2E%2E%2Foutside.php", 400)]
    [InlineData("/x.php/%FF", 404)]
    [InlineData("/x.php/%C0%AE%C0%AE/", 404)] // overlong dots
    [InlineData("/x%C0%AEphp", 404)]
    [InlineData("/x.php/%ED%A0%80", 404)] // half of a surrogate pair
    public void A_path_names_nothing(string path, int status) => Assert.Equal(status, CgiPath.Decode(path, out _)?.Status);

    [Theory]
    [InlineData("/x.php%25", "/x.php%")]
    [InlineData("/%2578.php", "/%78.php")]
    [InlineData("/%E2%82%AC%C2%A0", "/€\u00a0")]
    public void A_path_is_decoded_once(string path, string decoded)
    {
        Assert.Null(CgiPath.Decode(path, out var result));
        Assert.Equal(decoded, result.Text);
    }

    [Theory]
    // The Kelvin sign, and the long s: upper case of neither is a letter of an extension.
    [InlineData(".key", "/x.%E2%84%AAey")]
    [InlineData(".phps", "/x.php%C5%BF")]
    [InlineData(".phpi", "/x.php%C4%B0")]
    public void Only_ASCII_letters_have_a_case(string extension, string path)
    {
        Assert.Null(CgiPath.Decode(path, out var decoded));
        _site.Add(decoded.Text[1..]);

        Assert.Null(Find(path, site => site with { Extensions = [extension] }));
    }

    [Fact]
    public void The_first_of_several_extensions_ends_the_script()
    {
        _site.Add("b.phtml");

        Assert.Equal("/b.phtml", Find("/b.phtml/x.php", site => site with { Extensions = [".php", ".phtml"] })?.Name);
        Assert.Null(Find("/b.phtml/x.php"));
    }

    [Theory]
    [InlineData("/nope.php/x.php/y", "/nope.php", "/x.php/y")]
    [InlineData("/foo.php/bar.php", "/foo.php", "/bar.php")]
    [InlineData("/uploads/evil.jpg/x.php", "/uploads/evil.jpg/x.php", "")] // php-fpm's security.limit_extensions is there for that
    [InlineData("/nowhere/", "/nowhere/index.php", "")]
    public void An_unchecked_site_is_taken_at_its_word(string path, string name, string pathInfo)
    {
        var script = Find(path, site => site with { CheckScript = false, Root = "/nowhere/on/this/machine/" });

        Assert.Equal(new Script(name, pathInfo, "/nowhere/on/this/machine" + name, "/nowhere/on/this/machine"), script);
    }

    [Theory]
    [InlineData("/evil.php.jpg")]
    [InlineData("/x.php.")]
    [InlineData("/admin%2Fsecret.php")]
    [InlineData("//x.php")]
    [InlineData("/x.html")]
    public void An_unchecked_site_has_no_other_names_for_its_scripts(string path) => Assert.Null(Find(path, site => site with { CheckScript = false }));

    [Theory]
    [InlineData("/admin./x.php")]
    [InlineData("/admin%20/x.php")]
    [InlineData("/admin::$INDEX_ALLOCATION/x.php")]
    [InlineData("/C:/x.php")]
    [InlineData("/..%5Cx.php")]
    [InlineData("/WP-CON~1/uploads/x.php")] // a name of eight letters that Windows gives each file as well
    [InlineData("/uploads/EVIL~12.PHP")]
    public void A_site_on_Windows_has_no_other_names_for_its_folders(string path) =>
        Assert.Null(Find(path, site => site with { CheckScript = false, Root = @"C:\site" }));

    [Fact]
    public void A_site_on_Windows_has_scripts()
    {
        var script = Find("/blog/x.php/a", site => site with { CheckScript = false, Root = @"C:\site\" });

        Assert.Equal(@"C:\site/blog/x.php", script?.FileName);
    }

    [Fact]
    public void Without_a_root_the_application_is_one_script() =>
        Assert.Equal(new Script("", "/a/b.php/c", null, null), Find("/a/b.php/c", site => site with { Root = null }));

    [Fact]
    public void A_pipe_is_no_script()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs mkfifo.");
        System.Diagnostics.Process.Start("mkfifo", _site["pipe.php"]).WaitForExit();

        Assert.Null(Find("/pipe.php"));
    }

    [Fact]
    public void An_empty_file_is_a_script()
    {
        File.WriteAllText(_site["silence.php"], "");

        Assert.NotNull(Find("/silence.php"));
    }

    [Fact]
    public void Links_are_followed_to_regular_files()
    {
        File.CreateSymbolicLink(_site["link.php"], _site.Beside("outside.php"));
        File.CreateSymbolicLink(_site["dangling.php"], _site.Beside("nothing.php"));
        Directory.CreateSymbolicLink(_site["folder.php"], _site["blog"]);
        Directory.CreateSymbolicLink(_site["shared"], _site.Beside("root-secret"));

        Assert.Equal(_site["link.php"], Find("/link.php")?.FileName);
        Assert.Equal(_site["shared/x.php"], Find("/shared/x.php")?.FileName);
        Assert.Equal(_site["folder.php/post.php"], Find("/folder.php/post.php")?.FileName);
        Assert.Null(Find("/dangling.php"));
        Assert.Null(Find("/folder.php"));
    }

    [Fact]
    public void Links_can_be_kept_within_the_root()
    {
        File.CreateSymbolicLink(_site["inside.php"], "blog/post.php");
        File.CreateSymbolicLink(_site["twice.php"], "inside.php");
        File.CreateSymbolicLink(_site["outside.php"], _site.Beside("outside.php"));
        File.CreateSymbolicLink(_site["relative.php"], "../outside.php");
        File.CreateSymbolicLink(_site["neighbour.php"], "../root-secret/x.php"); // begins as the root does
        Directory.CreateSymbolicLink(_site["shared"], _site.Beside("root-secret"));
        File.CreateSymbolicLink(_site["picture.php"], "uploads/evil.jpg");
        File.CreateSymbolicLink(_site["circle.php"], "circle.php");

        Assert.Equal(_site["inside.php"], FindWithin("/inside.php")?.FileName);
        Assert.NotNull(FindWithin("/twice.php"));
        Assert.NotNull(FindWithin("/x.php"));
        foreach (var path in new[] { "/outside.php", "/relative.php", "/neighbour.php", "/shared/x.php", "/picture.php", "/circle.php" })
            Assert.Null(FindWithin(path));

        Script? FindWithin(string path) => Find(path, site => site with { SymbolicLinks = SymbolicLinkPolicy.WithinRoot });
    }

    [Fact]
    public void A_root_behind_a_link_keeps_links_within_it()
    {
        Directory.CreateSymbolicLink(_site.Beside("current"), _site.Root);

        Assert.NotNull(Find("/x.php", site => site with { Root = _site.Beside("current"), SymbolicLinks = SymbolicLinkPolicy.WithinRoot }));
    }

    [Fact]
    public void The_roots_links_are_resolved_anew_after_a_second()
    {
        var current = _site.Beside("current");
        Directory.CreateSymbolicLink(current, "releases/1");
        var first = _site.Add("../releases/1/x.php");
        var second = _site.Add("../releases/2/x.php");
        var resolver = new ScriptResolver(new() { Root = current, ResolveRoot = true }, _time);
        CgiPath.Decode("/x.php", out var path);

        Assert.Equal(first, resolver.Find(path)?.FileName);
        Directory.Delete(current);
        Directory.CreateSymbolicLink(current, "releases/2");
        _time.Advance(TimeSpan.FromSeconds(1));

        var script = resolver.Find(path);
        Assert.Equal(second, script?.FileName);
        Assert.Equal(Path.GetDirectoryName(second), script?.Root);
    }

    [Fact]
    public void The_roots_links_stay_in_its_name_otherwise()
    {
        Directory.CreateSymbolicLink(_site.Beside("current"), _site.Root);

        Assert.Equal(_site.Beside("current/x.php"), Find("/x.php", site => site with { Root = _site.Beside("current") })?.FileName);
    }

    private Script? Find(string path, Func<FastCgiConfig, FastCgiConfig>? change = null)
    {
        var site = new FastCgiConfig { Root = _site.Root };
        Assert.Null(CgiPath.Decode(path, out var decoded));
        return new ScriptResolver(change?.Invoke(site) ?? site, _time).Find(decoded);
    }
}
