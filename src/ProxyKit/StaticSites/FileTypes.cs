namespace ProxyKit.StaticSites;

/// <summary>
/// Content types that ASP.NET Core's list lacks: those of nginx's <c>mime.types</c> and of what WordPress lets users upload. Sources, configuration, keys and databases are
/// missing on purpose; <see cref="SiteConfig.DefaultDeniedFiles"/> refuses them by name.
/// </summary>
internal static class FileTypes
{
    public static readonly (string Type, string Extensions)[] More =
    [
        ("application/x-7z-compressed", "7z"), ("application/x-iso9660-image", "iso"), ("application/octet-stream", "img bin dmg deb msi msp msm exe"), ("application/x-redhat-package-manager", "rpm"),
        ("application/x-tar", "tar"), ("application/gzip", "gz tgz"), ("application/x-bzip2", "bz2"), ("application/x-xz", "xz"), ("application/vnd.rar", "rar"), ("application/zip", "zip"),
        ("application/vnd.oasis.opendocument.text", "odt"), ("application/vnd.oasis.opendocument.spreadsheet", "ods"), ("application/vnd.oasis.opendocument.presentation", "odp"),
        ("application/vnd.oasis.opendocument.graphics", "odg"), ("application/vnd.oasis.opendocument.chart", "odc"), ("application/vnd.oasis.opendocument.formula", "odf"),
        ("application/vnd.apple.pages", "pages"), ("application/vnd.apple.numbers", "numbers"), ("application/epub+zip", "epub"),
        ("application/vnd.google-earth.kml+xml", "kml"), ("application/vnd.google-earth.kmz", "kmz"), ("application/gpx+xml", "gpx"), ("application/geo+json", "geojson"),
        ("application/vnd.apple.mpegurl", "m3u8"), ("audio/mpegurl", "m3u"), ("application/dash+xml", "mpd"), ("video/mp2t", "ts"), ("text/vtt", "vtt"), ("application/x-subrip", "srt"), ("application/ttml+xml", "dfxp ttml"),
        ("audio/flac", "flac"), ("audio/x-matroska", "mka"), ("audio/x-realaudio", "ra ram"), ("audio/ogg", "opus"), ("audio/aac", "aac"), ("audio/midi", "mid midi kar"), ("audio/webm", "weba"),
        ("video/x-matroska", "mkv"), ("video/divx", "divx"), ("video/3gpp", "3gp 3gpp"), ("video/3gpp2", "3g2 3gp2"), ("video/x-m4v", "m4v"), ("video/x-flv", "flv"), ("video/x-ms-wmx", "wmx"),
        ("image/heic", "heic"), ("image/heif", "heif"), ("image/heic-sequence", "heics"), ("image/heif-sequence", "heifs"), ("image/avif", "avif"), ("image/jxl", "jxl"), ("image/apng", "apng"), ("image/vnd.wap.wbmp", "wbmp"), ("image/x-jng", "jng"),
        ("application/java-archive", "jar war ear"), ("application/x-java-jnlp-file", "jnlp"), ("application/vnd.wap.wmlc", "wmlc"), ("application/x-xpinstall", "xpi"), ("application/x-cocoa", "cco"),
        ("application/mac-binhex40", "hqx"), ("application/wasm", "wasm"), ("text/calendar", "ics"), ("text/vcard", "vcf"), ("text/markdown", "md"), ("text/tab-separated-values", "tsv"), ("application/atom+xml", "atom"), ("application/rss+xml", "rss"),
        ("application/vnd.ms-fontobject", "eot"), ("application/onenote", "onetoc onetoc2 onetmp onepkg"), ("application/oxps", "oxps"), ("application/vnd.ms-xpsdocument", "xps"), ("application/manifest+json", "webmanifest"),
        ("model/gltf-binary", "glb"), ("model/gltf+json", "gltf"), ("model/stl", "stl"),
    ];
}
