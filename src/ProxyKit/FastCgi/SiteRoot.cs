using System.Text;

namespace ProxyKit.FastCgi;

/// <summary>The folder of a site's scripts.</summary>
internal sealed class SiteRoot
{
    private static readonly TimeSpan s_memory = TimeSpan.FromSeconds(1);

    private readonly FastCgiConfig _site;
    private readonly TimeProvider _time;
    private readonly string _path;
    private readonly bool _isWindows;
    private volatile Resolved? _resolved;

    public SiteRoot(FastCgiConfig site, TimeProvider time)
    {
        _site = site;
        _time = time;
        _path = site.Root!.Length > 1 ? site.Root.TrimEnd('/', '\\') : site.Root;
        _isWindows = _path[0] != '/';
    }

    /// <summary>
    /// Whether a segment names the same thing everywhere. A backslash is a separator in Windows, where names also lose dots and spaces at their ends, and a colon opens a
    /// stream of the file. It also gives a long name a second one of eight letters there, such as <c>WP-CON~1</c>.
    /// </summary>
    public bool CanName(ReadOnlySpan<char> segment) =>
        !segment.Contains('\\') && !(_isWindows && (segment.Contains(':') || segment[^1] is '.' or ' ' || IsShortName(segment)));

    /// <summary>Looks for the file of a script's name, unless the site is to be believed.</summary>
    public FileKind Look(string name, out string root, out string file)
    {
        root = _site.ResolveRoot ? RealFolder : _path;
        file = Join(root, name);
        if (!_site.CheckScript)
            return FileKind.Regular;
        var kind = FileKinds.Of(file);
        return kind == FileKind.Regular && _site.SymbolicLinks == SymbolicLinkPolicy.WithinRoot && !StaysWithin(file) ? FileKind.None : kind;
    }

    /// <summary>A path below a root.</summary>
    public static string Join(string root, string path) => root.EndsWith('/') ? string.Concat(root.AsSpan(0, root.Length - 1), path) : root + path;

    private static bool IsShortName(ReadOnlySpan<char> segment) =>
        segment.IndexOf('~') is >= 0 and var tilde && tilde + 1 < segment.Length && char.IsAsciiDigit(segment[tilde + 1]);

    private bool StaysWithin(string file)
    {
        if (RealPath.Of(file) is not { } real || RealPath.Below(RealFolder, real) is null)
            return false;
        foreach (var extension in _site.Extensions.AsSpan())
        {
            if (real.Length > extension.Length && Ascii.EqualsIgnoreCase(real.AsSpan(real.Length - extension.Length), extension))
                return true;
        }
        return false;
    }

    /// <summary>The root without links in its path; looked up at most once a second.</summary>
    public string RealFolder
    {
        get
        {
            if (_resolved is { } known && _time.GetElapsedTime(known.Timestamp) < s_memory)
                return known.Path;
            var resolved = new Resolved(RealPath.Of(_path) ?? _path, _time.GetTimestamp());
            _resolved = resolved;
            return resolved.Path;
        }
    }

    /// <summary>The real path of what a name below the root leads to; null if its links lead nowhere.</summary>
    public string? Resolve(string name) => RealPath.Of(RealFolder, name);

    private sealed record Resolved(string Path, long Timestamp);
}
