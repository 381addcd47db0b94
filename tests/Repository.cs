namespace ProxyKit;

/// <summary>The files of this repository, for tests that hold documents, samples and packages to the code.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root, .. parts]);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "ProxyKit.sln")))
                return folder.FullName;
        }
        throw new InvalidOperationException("ProxyKit.sln is in no folder above the tests.");
    }
}
