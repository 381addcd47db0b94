using ProxyKit.FastCgi;

namespace ProxyKit.Tests.FastCgi;

/// <summary>Paths without links, as the kernel would open them.</summary>
public sealed class RealPathTests : IDisposable
{
    private readonly string _folder = RealPath.Of(Directory.CreateTempSubdirectory("proxykit-tests-").FullName)!;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Two_dots_behind_a_link_lead_out_of_what_it_leads_to()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need privileges.");
        Directory.CreateDirectory(In("site", "public"));
        Directory.CreateDirectory(In("elsewhere", "deep"));
        Directory.CreateSymbolicLink(In("site", "link"), In("elsewhere", "deep"));
        // By its letters it is site/x.php; the kernel opens elsewhere/x.php.
        File.CreateSymbolicLink(In("site", "x"), "link/../x.php");

        Assert.Equal(In("elsewhere", "x.php"), RealPath.Of(In("site", "x")));
    }

    [Theory]
    [InlineData("current/index.php", "releases/2/index.php")]
    [InlineData("chain/index.php", "releases/2/index.php")]
    [InlineData("absolute/index.php", "releases/2/index.php")]
    [InlineData("releases/1/missing.php", "releases/1/missing.php")]
    public void Links_are_followed_wherever_they_stand(string path, string expected)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need privileges.");
        Directory.CreateDirectory(In("releases", "1"));
        Directory.CreateDirectory(In("releases", "2"));
        Directory.CreateSymbolicLink(In("current"), "./releases/2");
        Directory.CreateSymbolicLink(In("chain"), "releases/../current");
        Directory.CreateSymbolicLink(In("absolute"), In("current"));

        Assert.Equal(In(expected), RealPath.Of(In(path)));
    }

    [Fact]
    public void A_circle_leads_nowhere()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need privileges.");
        Directory.CreateSymbolicLink(In("a"), "b");
        Directory.CreateSymbolicLink(In("b"), "a");

        Assert.Null(RealPath.Of(In("a", "x.php")));
    }

    private string In(params string[] parts) => Path.Combine([_folder, .. parts]);
}
