using System.IO.Enumeration;
using System.Text;
using Microsoft.AspNetCore.StaticFiles;

namespace ProxyKit.StaticSites;

/// <summary>Which files may be served, by their names, and as what.</summary>
internal sealed class FileRules
{
    // What php-fpm, Apache's and nginx's usual configurations take for PHP. Behind any of it may stand what editors and administrators append.
    private static readonly string[] s_scripts = [".php", ".pht", ".phar"];

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
        if (!Ascii.IsValid(name))
        {
            // File systems that ignore case do so beyond ASCII: "compoſer.json" opens composer.json there.
            var folded = name.Normalize(NormalizationForm.FormKC);
            if (folded != name && !IsServed(folded))
                return null;
        }
        if (_types.TryGetContentType(name, out var type))
            return type;
        return isWellKnown || Matches(_site.AllowedFiles, name) ? "application/octet-stream" : null;
    }

    private bool IsServed(string name) =>
        !IsScriptLike(name, _extensions)
        // Windows drops a dot or a space at the end, knows streams by a colon, and short names by a tilde and a number.
        && name[^1] is not ('.' or ' ') && !name.AsSpan().ContainsAny(':', '\\')
        && !(OperatingSystem.IsWindows() && name.Contains('~', StringComparison.Ordinal))
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
