namespace ProxyKit.IntegrationTests;

/// <summary>Tests that need a program which may be missing: skipped with the reason, and failed under CI=true.</summary>
internal static class RealServer
{
    /// <summary>The program's path; the test is skipped if there is none.</summary>
    public static string Require(string program, string package)
    {
        foreach (var folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Append("/usr/sbin"))
        {
            var path = Path.Combine(folder, program);
            if (File.Exists(path))
                return path;
        }
        var reason = $"'{program}' is not installed: apt-get install {package}";
        if (Environment.GetEnvironmentVariable("CI") == "true")
            Assert.Fail(reason);
        Assert.Skip(reason);
        return "";
    }
}
