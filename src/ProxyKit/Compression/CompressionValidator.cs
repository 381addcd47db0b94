using System.Globalization;

namespace ProxyKit.Compression;

/// <summary>The part of validation that concerns compression.</summary>
internal static class CompressionValidator
{
    public static void Validate(string where, CompressionConfig? compression, CompressionServices services, List<string> errors)
    {
        if (compression is null)
            return;
        where += ": Compression";
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var coding in compression.Codings)
        {
            if (services.Find(coding) is null)
                errors.Add($"{where}.Codings: '{coding}' {services.Hint(coding)}");
            else if (!seen.Add(coding))
                errors.Add($"{where}.Codings: '{coding}' is there twice.");
        }
        foreach (var (name, level) in compression.Levels)
        {
            if (services.Find(name) is not { } coding)
                errors.Add($"{where}.Levels: '{name}' {services.Hint(name)}");
            else if (!int.TryParse(level, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) || number < coding.MinLevel || number > coding.MaxLevel)
                errors.Add(string.Create(CultureInfo.InvariantCulture, $"{where}.Levels: '{level}' is not a level of {coding.Name}; it must be {coding.MinLevel} to {coding.MaxLevel}."));
        }
        foreach (var type in compression.MimeTypes.Where(type => !CompressibleTypes.IsPattern(type)))
            errors.Add($"{where}.MimeTypes: '{type}' is not a media type. Allowed are text/css, text/*, application/*+json and */*.");
        if (compression.MinimumSize < 0)
            errors.Add($"{where}.MinimumSize is {compression.MinimumSize}; it must be at least 0 bytes.");
        if (compression.MaxDecompressedSize < 1)
            errors.Add($"{where}.MaxDecompressedSize is {compression.MaxDecompressedSize}; it must be at least 1 byte.");
        if (compression.MaxDecompressionRatio < 1)
            errors.Add($"{where}.MaxDecompressionRatio is {compression.MaxDecompressionRatio}; it must be at least 1.");
    }
}
