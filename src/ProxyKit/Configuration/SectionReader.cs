using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace ProxyKit.Configuration;

/// <summary>
/// Reads a configuration section by the keys that it may have. What is left over at <see cref="Done"/> is an unknown key; what does not parse is an error that
/// names the path, the value and what is allowed.
/// </summary>
internal sealed class SectionReader(IConfiguration section, List<string> errors)
{
    private readonly HashSet<string> _known = new(StringComparer.OrdinalIgnoreCase);

    public string Key => (section as IConfigurationSection)?.Key ?? "";

    public string Path => (section as IConfigurationSection)?.Path ?? "";

    public List<string> Errors => errors;

    public bool Has(string key) => Child(key).Exists();

    public string? Text(string key) => Scalar(key).Value;

    public string Required(string key)
    {
        if (Text(key) is { Length: > 0 } value)
            return value;
        errors.Add($"{Path}:{key} is missing.");
        return "";
    }

    public bool? Bool(string key) => Parse(key, "true or false", static (string text, out bool value) => bool.TryParse(text, out value));

    public int? Int(string key) =>
        Parse(key, "a whole number", static (string text, out int value) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value));

    public double? Double(string key) =>
        Parse(key, "a number", static (string text, out double value) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value));

    public long? Long(string key) =>
        Parse(key, "a whole number", static (string text, out long value) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value));

    // A number alone would be days: nobody who writes 30 means that.
    public TimeSpan? Time(string key) =>
        Parse(key, "a time such as 00:01:30", static (string text, out TimeSpan value) =>
            TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out value) && text.Contains(':', StringComparison.Ordinal));

    public Version? HttpVersion(string key) =>
        TryRead(key, "1.0, 1.1, 2 or 3", static (string text, out Version? value) => Version.TryParse(text.Contains('.', StringComparison.Ordinal) ? text : text + ".0", out value), out var value) ? value : null;

    public Uri? Uri(string key) =>
        TryRead(key, "an absolute URI", static (string text, out System.Uri? value) => System.Uri.TryCreate(text, UriKind.Absolute, out value), out var value) ? value : null;

    public T? Enum<T>(string key)
        where T : struct, Enum =>
        Parse(key, string.Join(", ", System.Enum.GetNames<T>()), static (string text, out T value) =>
            System.Enum.TryParse(text, ignoreCase: true, out value) && !char.IsAsciiDigit(text[0]) && text[0] != '-');

    public ValueList<string> Texts(string key)
    {
        var child = Child(key);
        if (child.Value is { Length: > 0 })
            errors.Add($"{child.Path}: '{child.Value}' is one value; allowed is a list.");
        return child.GetChildren().Select(item => item.Value ?? "").ToValueList();
    }

    public ValueMap Map(string key)
    {
        var entries = Nested(Child(key)).GetChildren().Select(item => new KeyValuePair<string, string>(item.Key, item.Value ?? "")).ToArray();
        return entries.Length == 0 ? ValueMap.Empty : new(entries);
    }

    /// <summary>Reads a section if it is there.</summary>
    public T? Section<T>(string key, Func<SectionReader, T> read)
        where T : class
    {
        var child = Child(key);
        return child.Exists() ? Read(child, read) : null;
    }

    /// <summary>Reads the sections below <paramref name="key"/>, be they a list or a map.</summary>
    public ValueList<T> Sections<T>(string key, Func<SectionReader, T> read) =>
        Nested(Child(key)).GetChildren().Select(item => Read(item, read)).ToValueList();

    /// <summary>The values below this section by key; all keys are known then.</summary>
    public Dictionary<string, string> All() =>
        section.GetChildren().ToDictionary(child => child.Key, child => child.Value ?? "", StringComparer.OrdinalIgnoreCase);

    public void Done()
    {
        foreach (var child in section.GetChildren())
        {
            if (_known.Contains(child.Key))
                continue;
            errors.Add($"{child.Path} is not a known key{Nearest.Hint(child.Key, _known.Where(k => !k.Contains(':', StringComparison.Ordinal)))}");
        }
    }

    private T Read<T>(IConfigurationSection child, Func<SectionReader, T> read)
    {
        var reader = new SectionReader(Nested(child), errors);
        var value = read(reader);
        reader.Done();
        return value;
    }

    private IConfigurationSection Child(string key)
    {
        _known.Add(key);
        return section.GetSection(key);
    }

    private IConfigurationSection Scalar(string key)
    {
        var child = Child(key);
        if (child.GetChildren().Any())
            errors.Add($"{child.Path} holds keys; allowed is one value.");
        return child;
    }

    private IConfigurationSection Nested(IConfigurationSection child)
    {
        if (child.Value is { Length: > 0 })
            errors.Add($"{child.Path}: '{child.Value}' is one value; allowed are keys below it.");
        return child;
    }

    private delegate bool TryParse<T>(string text, out T value);

    private T? Parse<T>(string key, string allowed, TryParse<T> parse)
        where T : struct => TryRead(key, allowed, parse, out var value) ? value : null;

    private bool TryRead<T>(string key, string allowed, TryParse<T> parse, out T value)
    {
        value = default!;
        var child = Scalar(key);
        if (string.IsNullOrEmpty(child.Value))
            return false;
        if (parse(child.Value, out value))
            return true;
        errors.Add($"{child.Path}: '{child.Value}' is not allowed; it must be {allowed}.");
        return false;
    }
}
