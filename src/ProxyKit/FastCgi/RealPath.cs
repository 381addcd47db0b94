namespace ProxyKit.FastCgi;

/// <summary>Resolves the symbolic links in every part of a path, as realpath(3) does.</summary>
internal static class RealPath
{
    // As Linux has it; more is a circle.
    private const int MaxLinks = 40;

    /// <summary>The path without links, or null if they lead nowhere. It need not exist.</summary>
    public static string? Of(string path)
    {
        var links = 0;
        path = Path.GetFullPath(path);
        var end = Path.GetPathRoot(path)!.Length;
        while (end < path.Length)
        {
            var next = path.IndexOf(Path.DirectorySeparatorChar, end + 1);
            next = next < 0 ? path.Length : next;
            string? target;
            try
            {
                target = new FileInfo(path[..next]).LinkTarget;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
            if (target is null)
            {
                end = next;
                continue;
            }
            if (++links > MaxLinks)
                return null;
            // A target begins where its link is, or at the root; what it passes through may be links again.
            path = Path.GetFullPath(target + path[next..], Path.GetDirectoryName(path[..next])!);
            end = Path.GetPathRoot(path)!.Length;
        }
        return path;
    }
}
