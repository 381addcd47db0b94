namespace ProxyKit.StaticSites;

/// <summary>Lists of folders, each with a slash on both sides.</summary>
internal static class PathFolders
{
    /// <summary>Whether a path is one of the folders, or begins with one.</summary>
    public static bool Have(ValueList<string> folders, string path)
    {
        foreach (var folder in folders.AsSpan())
        {
            if (path.StartsWith(folder, StringComparison.OrdinalIgnoreCase) || (path.Length == folder.Length - 1 && folder.StartsWith(path, StringComparison.OrdinalIgnoreCase)))
                return true;
        }
        return false;
    }
}
