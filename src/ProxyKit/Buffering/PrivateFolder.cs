namespace ProxyKit.Buffering;

/// <summary>Folders that nobody but the process's user can look into.</summary>
internal static class PrivateFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Makes a folder, unless it is there and ours. Throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>, with a message for operators.</summary>
    public static string Make(string folder)
    {
        Create(folder);
        if (OperatingSystem.IsWindows())
            return folder;
        // Anybody may have made it first where the parent is everybody's, as /tmp is.
        if (new DirectoryInfo(folder).LinkTarget is not null)
            throw new IOException($"'{folder}' is a symbolic link. Somebody may want to have your files elsewhere; remove it.");
        if (UnixOwner.Of(folder) is { } owner && owner != UnixOwner.Current)
            throw new IOException($"'{folder}' belongs to the user {owner} and this process to the user {UnixOwner.Current}. Somebody may want to read your files; remove it.");
        if (File.GetUnixFileMode(folder) != OwnerOnly)
            File.SetUnixFileMode(folder, OwnerOnly);
        return folder;
    }

    /// <summary>Makes a folder in one that is ours.</summary>
    public static void Create(string folder)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder);
        else
            Directory.CreateDirectory(folder, OwnerOnly);
    }
}
