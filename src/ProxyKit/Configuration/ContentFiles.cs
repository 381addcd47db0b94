using Microsoft.Extensions.Hosting;

namespace ProxyKit.Configuration;

/// <summary>Files that configuration names; relative paths start at the app's content root, as elsewhere in ASP.NET Core.</summary>
internal sealed class ContentFiles(IHostEnvironment? environment = null)
{
    public string Resolve(string path) => environment is null ? path : Path.Combine(environment.ContentRootPath, path);

    public bool FolderExists(string path) => Directory.Exists(Resolve(path));

    public bool Exists(string path) => File.Exists(Resolve(path));
}
