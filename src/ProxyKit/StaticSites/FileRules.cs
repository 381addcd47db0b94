using System.Buffers;
using System.IO.Enumeration;
using System.Text;
using Microsoft.AspNetCore.StaticFiles;

namespace ProxyKit.StaticSites;

/// <summary>Which files may be served, by their names, and as what.</summary>
internal sealed class FileRules
{
    // What php-fpm, Apache's and nginx's usual configurations take for PHP. Behind any of it may stand what editors and administrators append.
    private static readonly string[] s_scripts = [".php", ".pht", ".phar"];

    // All letters that Unicode's full case folding makes ASCII of. File systems that ignore case fold them as well: "compo\u017fer.json" opens composer.json there.
    private static readonly SearchValues<char> s_folded = SearchValues.Create("\u017f\u212a\u00df\u1e9e\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06");

    private readonly ValueList<string> _extensions, _denied, _allowed;
    private readonly FileExtensionContentTypeProvider _types = new();

    /// <param name="extensions">Those of scripts.</param>
    /// <param name="denied">Names of files that are not served.</param>
    /// <param name="allowed">Names of files that are served although <see cref="SiteConfig.DefaultDeniedFiles"/> or their extension speak against it.</param>
    /// <param name="types">Content types beside the usual ones, by extension.</param>
    public FileRules(ValueList<string> extensions, ValueList<string> denied, ValueList<string> allowed, ValueMap types)
    {
        _extensions = extensions;
        _denied = denied;
        _allowed = allowed;
        foreach (var (type, names) in FileTypes.More)
        {
            foreach (var name in names.Split(' '))
                _types.Mappings.TryAdd($".{name}", type);
        }
        foreach (var (extension, type) in types)
            _types.Mappings[extension] = type;
    }

    /// <summary>Adds a content type for an extension that has none yet.</summary>
    public FileRules Knowing(string extension, string type)
    {
        _types.Mappings.TryAdd(extension, type);
        return this;
    }

    /// <summary>Whether a name, somewhere in it, is a script's: its source may hold passwords.</summary>
    public static bool IsScriptLike(string name, ValueList<string> extensions)
    {
        foreach (var extension in s_scripts)
        {
            if (name.Contains(extension, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        foreach (var extension in extensions.AsSpan())
        {
            if (name.Contains(extension, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    /// <summary>The content type with which a file of this name is served; null if it is not.</summary>
    /// <param name="name">The last segment of the path.</param>
    /// <param name="isWellKnown">Whether it stands below /.well-known/ (RFC 8615), where files often have no extension: ACME's tokens.</param>
    public string? ContentType(string name, bool isWellKnown)
    {
        // First what takes least: most paths that reach an application have no extension at all.
        if (!_types.TryGetContentType(name, out var type))
            type = isWellKnown || Matches(_allowed, name) ? "application/octet-stream" : null;
        if (type is null || !IsServed(name))
            return null;
        return Folded(name) is { } folded && !IsServed(folded) ? null : type;
    }

    /// <summary>What a file system that ignores case may take a name or a path for; null for itself.</summary>
    public static string? Folded(string name) => !name.AsSpan().ContainsAny(s_folded) ? null : new StringBuilder(name)
        .Replace("\u017f", "s").Replace("\u212a", "k").Replace("\u00df", "ss").Replace("\u1e9e", "ss")
        .Replace("\ufb00", "ff").Replace("\ufb01", "fi").Replace("\ufb02", "fl").Replace("\ufb03", "ffi").Replace("\ufb04", "ffl").Replace("\ufb05", "st").Replace("\ufb06", "st")
        .ToString();

    private bool IsServed(string name) =>
        !IsScriptLike(name, _extensions)
        // Windows drops a dot or a space at the end, knows streams by a colon, and short names by a tilde and a number.
        && name[^1] is not ('.' or ' ') && !name.AsSpan().ContainsAny(':', '\\')
        && !(OperatingSystem.IsWindows() && name.IndexOf('~', StringComparison.Ordinal) is >= 0 and var tilde && tilde + 1 < name.Length && char.IsAsciiDigit(name[tilde + 1]))
        && !Matches(_denied, name)
        && (!Matches(SiteConfig.DefaultDeniedFiles, name) || Matches(_allowed, name));

    /// <summary>Whether one of the patterns, with <c>*</c> for anything, fits a name.</summary>
    public static bool Matches(ValueList<string> patterns, string name)
    {
        foreach (var pattern in patterns.AsSpan())
        {
            if (FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: true))
                return true;
        }
        return false;
    }
}
