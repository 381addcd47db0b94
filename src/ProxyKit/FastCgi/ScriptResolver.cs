using System.Text;

namespace ProxyKit.FastCgi;

/// <summary>
/// Finds the script that a path names: the first segment that ends with an extension of scripts, and is a regular file. Never by a regular expression, and never beyond a
/// segment's end, so that <c>/evil.php.jpg</c>, <c>/x.php.</c> and <c>/x.php::$DATA</c> name none.
/// </summary>
internal sealed class ScriptResolver
{
    private readonly FastCgiConfig _site;
    private readonly SiteRoot? _root;

    public ScriptResolver(FastCgiConfig site, TimeProvider time)
    {
        _site = site;
        _root = site.Root is null ? null : new(site, time);
    }

    /// <summary>The script, or null if the path names none.</summary>
    public Script? Find(in CgiPath path)
    {
        var text = path.Text;
        if (_root is null)
            return new("", text, null, null);

        for (var start = 0; start < text.Length;)
        {
            var end = text.IndexOf('/', start + 1);
            if (end < 0)
                end = text.Length;
            if (!path.IsLiteral(end))
                return null;
            var segment = text.AsSpan(start + 1, end - start - 1);
            if (segment.IsEmpty)
                // A doubled slash: for routing and authorization //admin is not /admin, so it must not be for the file system.
                return end == text.Length ? Index(text) : null;
            if (!_root.CanName(segment))
                return null;
            if (IsScript(segment))
            {
                var name = end == text.Length ? text : text[..end];
                switch (_root.Look(name, out var root, out var file))
                {
                    case FileKind.Regular:
                        return new(name, text[end..], file, root);
                    case FileKind.None:
                        return null; // nothing is below a file, or below nothing
                }
            }
            start = end;
        }
        return null;
    }

    /// <summary>Whether a file's name ends as those of scripts do. Case is folded in ASCII only: no other letter becomes one of an extension's.</summary>
    public bool IsScript(ReadOnlySpan<char> name)
    {
        foreach (var extension in _site.Extensions.AsSpan())
        {
            if (name.Length > extension.Length && Ascii.EqualsIgnoreCase(name[^extension.Length..], extension))
                return true;
        }
        return false;
    }

    private Script? Index(string folder)
    {
        var name = folder + _site.Index;
        return _root!.Look(name, out var root, out var file) == FileKind.Regular ? new(name, "", file, root) : null;
    }
}
