using ProxyKit.FastCgi;

namespace ProxyKit.StaticSites;

/// <summary>Finds what a path of a site leads to: script, file, folder, front controller, in this order.</summary>
internal sealed class SiteMap
{
    private readonly FastCgiConfig _application;
    private readonly SiteConfig _site;
    private readonly FileRules _rules;
    private readonly ScriptResolver _scripts;
    private readonly SiteRoot _scriptRoot;
    private readonly SiteRoot _root;
    private readonly bool _checksLinks;
    private readonly SiteTarget _nothing;

    public SiteMap(FastCgiConfig application, SiteConfig site, TimeProvider time)
    {
        _application = application;
        _site = site;
        _rules = new(site, application.Extensions);
        _nothing = new(Refusal: site.FrontController.Length > 0 ? $"a path that leads to nothing, and there is no front controller {site.FrontController}" : "a path that leads to nothing");
        _checksLinks = application.SymbolicLinks == SymbolicLinkPolicy.WithinRoot;
        // What is here can be looked at, whatever is not to be believed on the application's side. Folders are not the resolver's business.
        var here = application with { Root = site.LocalRoot ?? application.Root, CheckScript = true, Index = "" };
        _scripts = new(here, time);
        _scriptRoot = new(here, time);
        _root = new(here with { Extensions = [""] }, time); // links to files with any
    }

    /// <summary>What the path leads to.</summary>
    /// <param name="path">Below the route's own prefix.</param>
    /// <param name="isRead">Whether it is GET or HEAD; files answer no others.</param>
    public SiteTarget Find(in CgiPath path, bool isRead)
    {
        if (_scripts.Find(path) is { } script)
            return IsHidden(script.Name) ? SiteTarget.Hidden : RunsScripts(script.Name) ? new(Seen(script)) : SiteTarget.NoScript;
        var text = path.Text;
        if (IsHidden(text))
            return SiteTarget.Hidden;
        if (Names(path) && OnDisk(text, isRead) is { } target)
            return target;
        return FrontController;
    }

    /// <summary>What answers for what is not there.</summary>
    public SiteTarget FrontController => _site.FrontController.Length > 0 && Script("/" + _site.FrontController) is { } script ? script : _nothing;

    private SiteTarget? OnDisk(string text, bool isRead)
    {
        if (text[^1] == '/')
            return Index(text, isRead);
        return _root.Look(text, out _, out var file) switch
        {
            FileKind.Regular when isRead => File(text, file),
            FileKind.Folder when Index(text + "/", isRead) is not null => new(IsFolder: true),
            _ => null,
        };
    }

    private SiteTarget? Index(string folder, bool isRead)
    {
        foreach (var index in _site.IndexFiles.AsSpan())
        {
            if (_scripts.IsScript(index))
            {
                if (RunsScripts(folder) && Script(folder + index) is { } script)
                    return script;
            }
            else if (isRead && _root.Look(folder + index, out _, out var file) == FileKind.Regular && File(folder + index, file) is { } target)
                return target;
        }
        return null;
    }

    private SiteTarget? Script(string name) =>
        _scriptRoot.Look(name, out var root, out var file) == FileKind.Regular ? new(Seen(new(name, "", file, root))) : null;

    private SiteTarget? File(string text, string file)
    {
        if (_rules.ContentType(text[(text.LastIndexOf('/') + 1)..], IsWellKnown(text)) is not { } type)
            return null;
        // A link is another name for a file, so that one counts too: favicon.png may lead to wp-config.php.
        if (_checksLinks)
            return RealPath.Of(file) is { } real && !IsHidden(BelowRoot(real)) && _rules.ContentType(Path.GetFileName(real), IsWellKnown(text)) is not null ? new(File: real, ContentType: type) : null;
        return new FileInfo(file) is { LinkTarget: not null } link && LinkEnd(link) is var end && (end is null || FileRules.IsScriptLike(end.Name, _application.Extensions))
            ? null
            : new(File: file, ContentType: type);
    }

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

    // The root's own path may have folders that begin with a dot.
    private string BelowRoot(string real) => (RealPath.Below(RealPath.Of(_site.LocalRoot ?? _application.Root!) ?? "", real) ?? real).Replace('\\', '/');

    // The application may see the site in another place.
    private Script Seen(Script script) =>
        _site.LocalRoot is null ? script : script with { Root = _application.Root, FileName = SiteRoot.Join(_application.Root!.TrimEnd('/'), script.Name) };

    private bool RunsScripts(string path) => RunsScriptsIn(path) && (FileRules.Folded(path) is not { } folded || RunsScriptsIn(folded));

    private bool RunsScriptsIn(string path)
    {
        foreach (var folder in _site.NoScriptPaths.AsSpan())
        {
            if (path.Contains(folder, StringComparison.OrdinalIgnoreCase))
                return false;
        }
        return true;
    }

    // As for scripts: what routing and authorization saw as one segment, or as an empty one, is not looked for on the disk.
    private bool Names(in CgiPath path)
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

    private static bool IsWellKnown(string text) => text.StartsWith("/.well-known/", StringComparison.Ordinal);

    private static bool IsHidden(string text) => text.IndexOf("/.", IsWellKnown(text) ? 1 : 0, StringComparison.Ordinal) >= 0;
}
