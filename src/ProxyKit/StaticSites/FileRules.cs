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

    private readonly SiteConfig _site;
    private readonly ValueList<string> _extensions;
    private readonly FileExtensionContentTypeProvider _types = new();

    public FileRules(SiteConfig site, ValueList<string> extensions)
    {
        _site = site;
        _extensions = extensions;
        foreach (var (extension, type) in site.ContentTypes)
            _types.Mappings[extension] = type;
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
        if (!IsServed(name))
            return null;
        if (Folded(name) is { } folded && !IsServed(folded))
            return null;
        if (_types.TryGetContentType(name, out var type))
            return type;
        return isWellKnown || Matches(_site.AllowedFiles, name) ? "application/octet-stream" : null;
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
        && !Matches(_site.DeniedFiles, name)
        && (!Matches(SiteConfig.DefaultDeniedFiles, name) || Matches(_site.AllowedFiles, name));

    private static bool Matches(ValueList<string> patterns, string name)
    {
        foreach (var pattern in patterns.AsSpan())
        {
            if (FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: true))
                return true;
        }
        return false;
    }
}
