namespace ProxyKit.FastCgi;

/// <summary>Resolves the symbolic links in every part of a path, as realpath(3) does.</summary>
internal static class RealPath
{
    // As Linux has it; more is a circle.
    private const int MaxLinks = 40;

    private static readonly char[] s_separators = [Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar];

    /// <summary>The path without links, or null if they lead nowhere. It need not exist.</summary>
    public static string? Of(string path) => Of("", Path.GetFullPath(path));

    /// <summary>The same for a path below a folder that has no links in its own.</summary>
    public static string? Of(string folder, string path)
    {
        var parts = new Stack<string>();
        // What stands behind a folder is not rooted, however it begins.
        var resolved = Enter(folder.Length > 0 ? path.TrimStart(s_separators) : path, folder, parts);
        for (var links = 0; parts.TryPop(out var part);)
        {
            if (part == ".")
                continue;
            if (part == "..")
            {
                // Above what a link leads to, not above the link: so it is not taken out beforehand.
                resolved = Path.GetDirectoryName(resolved) ?? resolved;
                continue;
            }
            var next = Path.Combine(resolved, part);
            string? target;
            try
            {
                target = new FileInfo(next).LinkTarget;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
            if (target is not null && ++links > MaxLinks)
                return null;
            // A target begins where its link is, or at the root; what it passes through may be links again.
            resolved = target is null ? next : Enter(target, resolved, parts);
        }
        return resolved;
    }

    /// <summary>What of a real path is below a real folder, with a separator in front; null if it is not below it.</summary>
    public static string? Below(string folder, string path)
    {
        folder = folder.TrimEnd(s_separators);
        return path.Length > folder.Length && path[folder.Length] == Path.DirectorySeparatorChar && path.StartsWith(folder, StringComparison.Ordinal) ? path[folder.Length..] : null;
    }

    // Puts the path's parts before those that are left, and says where they begin.
    private static string Enter(string path, string from, Stack<string> parts)
    {
        var root = Path.GetPathRoot(path)!;
        foreach (var part in path[root.Length..].Split(s_separators, StringSplitOptions.RemoveEmptyEntries).Reverse())
            parts.Push(part);
        return root.Length > 0 ? root : from;
    }
}
