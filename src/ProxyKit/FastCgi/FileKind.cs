using System.Runtime.InteropServices;
using System.Text;

namespace ProxyKit.FastCgi;

/// <summary>What there is at a path.</summary>
internal enum FileKind
{
    /// <summary>Nothing, or something that is neither: a pipe, a socket, a device.</summary>
    None,

    /// <summary>A regular file.</summary>
    Regular,

    /// <summary>A folder.</summary>
    Folder,
}

/// <summary>Looks what there is at a path; links are followed.</summary>
internal static class FileKinds
{
    private const int CurrentFolder = -100, TypeAndMode = 3, ModeOffset = 28;
    private const int TypeMask = 0xF000, Folder = 0x4000, Regular = 0x8000;

    // The first time that it cannot be called, for an old kernel or C library, is the last.
    private static bool s_hasStatx = OperatingSystem.IsLinux();

    public static FileKind Of(string path)
    {
        if (s_hasStatx && Statx(path) is { } kind)
            return kind;
        var file = new FileInfo(path);
        return file.Exists ? FileKind.Regular : Directory.Exists(path) ? FileKind.Folder : FileKind.None;
    }

    // .NET cannot tell a pipe from a file, and a worker that opens a pipe waits without limit. Its own look is also three times as expensive.
    private static FileKind? Statx(string path)
    {
        if (path.Length > 4096)
            return FileKind.None;
        Span<byte> name = stackalloc byte[1024];
        var length = Encoding.UTF8.GetMaxByteCount(path.Length) + 1;
        if (length > name.Length)
            name = new byte[length];
        name[Encoding.UTF8.GetBytes(path, name)] = 0;
        Span<byte> result = stackalloc byte[256];
        try
        {
            if (statx(CurrentFolder, ref MemoryMarshal.GetReference(name), 0, TypeAndMode, ref MemoryMarshal.GetReference(result)) != 0)
            {
                const int Denied = 1, NoSystemCall = 38;
                if (Marshal.GetLastPInvokeError() is not (Denied or NoSystemCall))
                    return FileKind.None;
                s_hasStatx = false;
                return null;
            }
        }
        catch (EntryPointNotFoundException)
        {
            s_hasStatx = false;
            return null;
        }
        return (MemoryMarshal.Read<ushort>(result[ModeOffset..]) & TypeMask) switch
        {
            Regular => FileKind.Regular,
            Folder => FileKind.Folder,
            _ => FileKind.None,
        };
    }

#pragma warning disable SYSLIB1054 // the generated kind needs unsafe code; these types need no marshalling
    [DllImport("libc", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int statx(int folder, ref byte path, int flags, uint mask, ref byte result);
#pragma warning restore SYSLIB1054
}
