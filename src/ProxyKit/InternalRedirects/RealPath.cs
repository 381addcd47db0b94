namespace ProxyKit.InternalRedirects;

/// <summary>A path without symbolic links, dots and double slashes, as <c>realpath</c> has it.</summary>
internal static class RealPath
{
    private const int MaxLinks = 40; // as on Linux

    private static readonly char[] s_separators = [Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar];

    /// <summary>Null if links lead around in a circle. What the path names need not be there.</summary>
    public static string? Of(string path)
    {
        var real = Root(path);
        var rest = new Stack<string>();
        Push(rest, path[(real.Length)..]);
        for (var links = 0; rest.TryPop(out var segment);)
        {
            if (segment == ".")
                continue;
            if (segment == "..")
            {
                real = real[..Math.Max(real.LastIndexOf('/'), Root(path).Length)];
                continue;
            }
            var next = $"{real}/{segment}";
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                real = next;
                continue;
            }
            if (++links > MaxLinks)
                return null;
            if (Path.IsPathRooted(target))
                real = Root(target);
            Push(rest, Path.IsPathRooted(target) ? target[real.Length..] : target);
        }
        return real;
    }

    private static string Root(string path) => Path.GetPathRoot(path)!.TrimEnd(s_separators);

    private static void Push(Stack<string> rest, string path)
    {
        var segments = path.Split(s_separators, StringSplitOptions.RemoveEmptyEntries);
        for (var i = segments.Length - 1; i >= 0; i--)
            rest.Push(segments[i]);
    }
}
