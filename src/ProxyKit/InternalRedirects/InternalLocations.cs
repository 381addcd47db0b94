using ProxyKit.Configuration;
using ProxyKit.FastCgi;

namespace ProxyKit.InternalRedirects;

/// <summary>The folders of a route out of which the upstream may answer.</summary>
internal sealed class InternalLocations(RouteConfig route, ContentFiles files)
{
    private readonly (string Prefix, string Folder)[] _redirects =
        [.. route.InternalRedirects.Select(r => (r.Key.TrimEnd('/') + '/', files.Resolve(r.Value).TrimEnd('/'))).OrderByDescending(r => r.Item1.Length)];

    private readonly string[] _sendFile = [.. route.SendFile.Select(folder => files.Resolve(folder).TrimEnd('/'))];

    public bool HasRedirects => _redirects.Length > 0;

    public bool HasSendFile => _sendFile.Length > 0;

    /// <summary>The file of <c>X-Accel-Redirect: /protected/a.pdf</c>, or why there is none.</summary>
    public (FileInfo? File, string Problem) FindRedirected(string value)
    {
        var query = value.IndexOf('?', StringComparison.Ordinal);
        if (InternalPath.Parse(query < 0 ? value : value[..query]) is not { } path)
            return (null, "that is no path of a file");
        foreach (var (prefix, folder) in _redirects)
        {
            if (path.StartsWith(prefix, StringComparison.Ordinal))
                return Find(folder, path[(prefix.Length - 1)..]);
        }
        return (null, "no folder of InternalRedirects is mapped to it");
    }

    /// <summary>The file of <c>X-Sendfile: /srv/files/a.pdf</c>, or why there is none.</summary>
    public (FileInfo? File, string Problem) FindSent(string value)
    {
        if (InternalPath.Parse(value) is not { } path)
            return (null, "that is no path of a file");
        foreach (var folder in _sendFile)
        {
            if (path.StartsWith(folder + '/', StringComparison.Ordinal))
                return Find(folder, path[folder.Length..]);
            // The upstream may know the folder by its real path where we are configured with a link, such as that of the current deployment.
            if (RealPath.Of(folder) is { } real && path.StartsWith(real + '/', StringComparison.Ordinal))
                return Find(real, path[real.Length..]);
        }
        return (null, "it is in no folder of SendFile");
    }

    private static (FileInfo? File, string Problem) Find(string folder, string path)
    {
        if (InternalPath.IsHidden(path))
            return (null, "hidden files are not sent");
        // Links are followed, but only to what is below the folder: whoever may write to it could hand out any file otherwise.
        if (RealPath.Of(folder) is not { } root || RealPath.Of(folder + path) is not { } real
            || RealPath.Below(root, real) is not { } below || InternalPath.IsHidden(below))
            return (null, "that leads out of its folder");
        return FileKinds.Of(real) == FileKind.Regular ? (new(real), "") : (null, "there is no such file");
    }
}
