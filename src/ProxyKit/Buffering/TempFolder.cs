using System.Runtime.InteropServices;

namespace ProxyKit.Buffering;

/// <summary>The folder of temporary files: one for each user, that nobody else can look into. All of the user's processes share it.</summary>
internal static class TempFolder
{
    /// <summary>Makes the folder below <paramref name="parent"/>, or the system's for temporary files, unless it is there.</summary>
    public static string Make(string? parent)
    {
        if (OperatingSystem.IsWindows())
            return Directory.CreateDirectory(Path.Combine(parent ?? Path.GetTempPath(), "proxykit")).FullName; // the user's own temporary files already

        return PrivateFolder.Make(Path.Combine(parent ?? Path.GetTempPath(), $"proxykit-{UnixOwner.Current}"));
    }

    /// <summary>Takes a name for this process, and a file that nobody else can open as long as this one is open.</summary>
    public static (string Id, FileStream File) Lock(string folder)
    {
        for (var tries = 0; ; tries++)
        {
            var id = Path.GetRandomFileName().Replace(".", "", StringComparison.Ordinal);
            var path = Path.Combine(folder, id + ".lock");
            FileStream file;
            try
            {
                file = new FileStream(path, TempFiles.Options(FileMode.CreateNew, deleteOnClose: true));
            }
            catch (IOException) when (tries < 3)
            {
                continue; // who clears up may have it open between its making and its lock, and is about to remove it
            }
            // Who clears up may have come between the file's making and its lock; then its name is gone.
            if (File.Exists(path))
                return (id, file);
            file.Dispose();
        }
    }

    /// <summary>Removes the files of processes that hold no lock any more, and says how many temporary files there were.</summary>
    public static int Clear(string folder)
    {
        var count = 0;
        foreach (var path in Directory.EnumerateFiles(folder))
        {
            var name = Path.GetFileName(path);
            var id = name[..(name.IndexOfAny(['-', '.']) is >= 0 and var end ? end : name.Length)];
            if (!(name.EndsWith(".tmp", StringComparison.Ordinal) || name.EndsWith(".lock", StringComparison.Ordinal)) || IsLocked(Path.Combine(folder, id + ".lock")))
                continue;
            if (name.EndsWith(".tmp", StringComparison.Ordinal))
            {
                File.Delete(path);
                count++;
            }
        }
        return count;
    }

    // Leaves no lock file behind that is not locked. A process makes its first file when it has its lock, so what has none belongs to nobody.
    private static bool IsLocked(string path)
    {
        try
        {
            new FileStream(path, TempFiles.Options(FileMode.Open, deleteOnClose: true)).Dispose();
            return false;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }
}

/// <summary>Who a file belongs to, which .NET does not tell.</summary>
internal static class UnixOwner
{
    private const int AtCurrentFolder = -100;
    private const int NoFollow = 0x100;
    private const uint MaskUid = 0x8;

    /// <summary>The user of this process.</summary>
    public static uint Current { get; } = OperatingSystem.IsWindows() ? 0 : geteuid();

    /// <summary>The owner of a file or folder, not of what it links to; null where it cannot be known.</summary>
    public static uint? Of(string path)
    {
        if (!OperatingSystem.IsLinux())
            return null; // macOS gives each user a folder for temporary files
        try
        {
            return statx(AtCurrentFolder, [.. System.Text.Encoding.UTF8.GetBytes(path), 0], NoFollow, MaskUid, out var status) == 0 ? status.Uid : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null; // musl before 1.2.5
        }
    }

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint geteuid();

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int statx(int folder, byte[] path, int flags, uint mask, out Status status);

    // Unlike stat's, the same on every architecture.
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Status
    {
        [FieldOffset(20)]
        public uint Uid;
    }
}
