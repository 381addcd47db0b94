using ProxyKit.FastCgi;

namespace ProxyKit.StaticSites;

/// <summary>Finds what a path of a site leads to: script, file, folder, front controller, in this order.</summary>
internal sealed class SiteMap
{
    private readonly FastCgiConfig _application;
    private readonly SiteConfig _site;
    private readonly ScriptResolver _scripts;
    private readonly SiteRoot _scriptRoot;
    private readonly FileMap _files;
    private readonly SiteTarget _nothing;

    public SiteMap(FastCgiConfig application, SiteConfig site, TimeProvider time)
    {
        _application = application;
        _site = site;
        _nothing = new(Refusal: site.FrontController.Length > 0 ? $"a path that leads to nothing, and there is no front controller {site.FrontController}" : "a path that leads to nothing");
        // What is here can be looked at, whatever is not to be believed on the application's side. Folders are not the resolver's business.
        var here = application with { Root = site.LocalRoot ?? application.Root, CheckScript = true, Index = "" };
        _scripts = new(here, time);
        _scriptRoot = new(here, time);
        _files = new(here, new(application.Extensions, site.DeniedFiles, site.AllowedFiles, site.ContentTypes), time);
    }

    /// <summary>What the path leads to.</summary>
    /// <param name="path">Below the route's own prefix.</param>
    /// <param name="isRead">Whether it is GET or HEAD; files answer no others.</param>
    public SiteTarget Find(in CgiPath path, bool isRead)
    {
        if (_scripts.Find(path) is { } script)
            return FileMap.IsHidden(script.Name) ? SiteTarget.Hidden : RunsScripts(script.Name) ? new(Seen(script)) : SiteTarget.NoScript;
        var text = path.Text;
        if (FileMap.IsHidden(text))
            return SiteTarget.Hidden;
        if (_files.CanName(path) && OnDisk(text, isRead) is { } target)
            return target;
        return FrontController;
    }

    /// <summary>What answers for what is not there.</summary>
    public SiteTarget FrontController => _site.FrontController.Length > 0 && Script("/" + _site.FrontController) is { } script ? script : _nothing;

    private SiteTarget? OnDisk(string text, bool isRead)
    {
        if (text[^1] == '/')
            return Index(text, isRead);
        return _files.Look(text, out var file) switch
        {
            FileKind.Regular when isRead => _files.Serve(text, file),
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
            else if (isRead && _files.Find(folder + index) is { } target)
                return target;
        }
        return null;
    }

    private SiteTarget? Script(string name) =>
        _scriptRoot.Look(name, out var root, out var file) == FileKind.Regular ? new(Seen(new(name, "", file, root))) : null;

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
}
