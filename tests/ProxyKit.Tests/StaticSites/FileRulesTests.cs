using ProxyKit.StaticSites;

namespace ProxyKit.Tests.StaticSites;

/// <summary>Which files have a content type, and so are served.</summary>
public class FileRulesTests
{
    private readonly FileRules _rules = new([".php"], [], [], ValueMap.Empty);

    [Theory]
    [InlineData("a.7z", "application/x-7z-compressed")]
    [InlineData("debian.iso", "application/x-iso9660-image")]
    [InlineData("letter.odt", "application/vnd.oasis.opendocument.text")]
    [InlineData("map.kml", "application/vnd.google-earth.kml+xml")]
    [InlineData("live.m3u8", "application/vnd.apple.mpegurl")]
    [InlineData("film.vtt", "text/vtt")]
    [InlineData("film.srt", "application/x-subrip")]
    [InlineData("song.FLAC", "audio/flac")]
    [InlineData("film.mkv", "video/x-matroska")]
    [InlineData("photo.heic", "image/heic")]
    [InlineData("photo.avif", "image/avif")]
    [InlineData("page.html", "text/html")]
    public void Ordinary_files_have_a_content_type(string name, string type) => Assert.Equal(type, _rules.ContentType(name, isWellKnown: false));

    [Theory]
    [InlineData("server.key")]
    [InlineData("data.mdb")]
    [InlineData("dump.sql")]
    [InlineData("a.php.7z")]
    [InlineData("composer.json")]
    [InlineData("settings.ini")]
    [InlineData("unknown.zzz")]
    public void Sources_keys_configuration_and_databases_are_refused(string name) => Assert.Null(_rules.ContentType(name, isWellKnown: false));
}
