namespace ProxyKit.Tests.FastCgi;

/// <summary>A folder of scripts that goes when the test does.</summary>
internal sealed class SiteFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxykit-site-");

    /// <summary>The site's root; there are other files beside it.</summary>
    public string Root { get; }

    public SiteFolder(params string[] files)
    {
        Root = Path.Combine(_folder.FullName, "root");
        Directory.CreateDirectory(Root);
        foreach (var file in files)
            Add(file);
    }

    /// <summary>The path of something in the root.</summary>
    public string this[string name] => Path.Combine(Root, name);

    /// <summary>The path of something beside the root.</summary>
    public string Beside(string name) => Path.Combine(_folder.FullName, name);

    public string Add(string file)
    {
        var path = Path.GetFullPath(file, Root);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, "<?php");
        return path;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
