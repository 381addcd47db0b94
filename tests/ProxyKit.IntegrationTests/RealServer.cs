namespace ProxyKit.IntegrationTests;

/// <summary>Tests that need a program which may be missing: skipped with the reason, and failed under CI=true.</summary>
internal static class RealServer
{
    /// <summary>The program's path; the test is skipped if there is none.</summary>
    public static string Require(string program, string package) => RequireAny(program, package);

    /// <summary>The same for a program whose name has its version in it, <c>php-fpm*</c>: the newest.</summary>
    public static string RequireAny(string pattern, string package)
    {
        foreach (var folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Append("/usr/sbin"))
        {
            if (Directory.Exists(folder) && Directory.GetFiles(folder, pattern).Order(StringComparer.Ordinal).LastOrDefault() is { } path)
                return path;
        }
        Missing($"'{pattern}' is not installed: apt-get install {package}");
        return "";
    }

    /// <summary>Skips the test, or fails it under CI=true.</summary>
    public static void Missing(string reason)
    {
        if (Environment.GetEnvironmentVariable("CI") == "true")
            Assert.Fail(reason);
        Assert.Skip(reason);
    }
}
