using ProxyKit.FastCgi;

namespace ProxyKit.StaticSites;

/// <summary>The one road from a path to a file below a folder, and to whether strangers may have it.</summary>
internal sealed class FileMap
{
    private readonly FileRules _rules;
    private readonly ValueList<string> _extensions;
    private readonly SiteRoot _root;
    private readonly bool _checksLinks;

    /// <param name="folder">The root, where links may lead, and what scripts end with.</param>
    /// <param name="rules">Which names are served.</param>
    /// <param name="time">For how long the root's own links are remembered.</param>
    public FileMap(FastCgiConfig folder, FileRules rules, TimeProvider time)
    {
        _rules = rules;
        _extensions = folder.Extensions;
        _checksLinks = folder.SymbolicLinks == SymbolicLinkPolicy.WithinRoot;
        _root = new(folder with { CheckScript = true, SymbolicLinks = SymbolicLinkPolicy.Follow }, time); // links are looked at below, once
    }

    /// <summary>Whether a path has a segment that begins with a dot.</summary>
    public static bool IsHidden(string text) => text.IndexOf("/.", IsWellKnown(text) ? 1 : 0, StringComparison.Ordinal) >= 0;

    // As for scripts: what routing and authorization saw as one segment, or as an empty one, is not looked for on the disk.
    public bool CanName(in CgiPath path)
    {
        var text = path.Text;
        if (path.LiteralLength < text.Length)
            return false;
        for (var start = 1; start < text.Length;)
        {
            var end = text.IndexOf('/', start);
            if (end < 0)
                end = text.Length;
            if (end == start || !_root.CanName(text.AsSpan(start, end - start)))
                return false;
            start = end + 1;
        }
        return true;
    }

    /// <summary>What there is at a path.</summary>
    public FileKind Look(string text, out string file) => _root.Look(text, out _, out file);

    /// <summary>The file that is served at a path. A name that is not served costs no look at the disk.</summary>
    public SiteTarget? Find(string text) => ContentType(text) is { } type && Look(text, out var file) == FileKind.Regular ? Serve(text, file, type) : null;

    /// <summary>A file that is there, if it is served.</summary>
    public SiteTarget? Serve(string text, string file) => ContentType(text) is { } type ? Serve(text, file, type) : null;

    private SiteTarget? Serve(string text, string file, string type)
    {
        // A link is another name for a file, so that one counts too: favicon.png may lead to wp-config.php.
        if (_checksLinks)
            return _root.Resolve(text) is { } real && RealPath.Below(_root.RealFolder, real) is { } below && !IsHidden(below.Replace('\\', '/'))
                && _rules.ContentType(Path.GetFileName(real), IsWellKnown(text)) is not null ? new(File: real, ContentType: type) : null;
        return new FileInfo(file) is { LinkTarget: not null } link && LinkEnd(link) is var end && (end is null || FileRules.IsScriptLike(end.Name, _extensions))
            ? null
            : new(File: file, ContentType: type);
    }

    private string? ContentType(string text) => _rules.ContentType(text[(text.LastIndexOf('/') + 1)..], IsWellKnown(text));

    private static FileSystemInfo? LinkEnd(FileInfo link)
    {
        try
        {
            return link.ResolveLinkTarget(returnFinalTarget: true);
        }
        catch (IOException)
        {
            return null; // changed under our eyes
        }
    }

    private static bool IsWellKnown(string text) => text.StartsWith("/.well-known/", StringComparison.Ordinal);
}
