using System.Globalization;

namespace ProxyKit.Configuration;

/// <summary>
/// Reads a configuration section by the keys that it may have. What is left over at <see cref="Done"/> is an unknown key; what does not parse is an error that
/// names the path, the value and what is allowed.
/// </summary>
internal sealed class SectionReader(SectionNode section, List<string> errors)
{
    private readonly HashSet<string> _known = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _reported = new(StringComparer.OrdinalIgnoreCase);

    public string Key => section.Key;

    public string Path => section.Path;

    public List<string> Errors => errors;

    public bool Has(string key) => Child(key) is { HasContent: true };

    public string? Text(string key) => Scalar(key)?.Value;

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
        if (child?.Value is { Length: > 0 })
            errors.Add($"{child.Path}: '{child.Value}' is one value; allowed is a list.");
        return (child?.Children ?? []).Select(item => item.Value ?? "").ToValueList();
    }

    /// <summary>A list, or one value with commas.</summary>
    public IEnumerable<string> TextOrTexts(string key) =>
        Child(key) is { Value: { Length: > 0 } value } ? value.Split(',', StringSplitOptions.TrimEntries) : Texts(key);

    public ValueMap Map(string key)
    {
        var entries = Nested(key).Select(item => new KeyValuePair<string, string>(item.Key, item.Value ?? "")).ToArray();
        return entries.Length == 0 ? ValueMap.Empty : new(entries);
    }

    /// <summary>Reads a section if it is there. An empty one is there: it has its defaults.</summary>
    public T? Section<T>(string key, Func<SectionReader, T> read)
        where T : class => Child(key) is { } child ? Read(child, read) : null;

    /// <summary>Reads the sections below <paramref name="key"/>, be they a list or a map.</summary>
    public ValueList<T> Sections<T>(string key, Func<SectionReader, T> read) =>
        Nested(key).Select(item => Read(item, read)).ToValueList();

    /// <summary>The values below this section by key; all keys are known then.</summary>
    public Dictionary<string, string> All() =>
        section.Children.ToDictionary(child => child.Key, child => child.Value ?? "", StringComparer.OrdinalIgnoreCase);

    /// <summary>Reports a key that other versions or YARP have, and what takes its place here.</summary>
    public void Replaced(string key, string replacement)
    {
        if (section.Find(key) is not { } child)
            return;
        _reported.Add(key);
        errors.Add($"{child.Path} is not used; use {replacement}.");
    }

    public void Done()
    {
        foreach (var child in section.Children)
        {
            if (_known.Contains(child.Key) || _reported.Contains(child.Key))
                continue;
            errors.Add($"{child.Path} is not a known key{Nearest.Hint(child.Key, _known.Where(k => !k.Contains(':', StringComparison.Ordinal)))}");
        }
    }

    private T Read<T>(SectionNode child, Func<SectionReader, T> read)
    {
        CheckNested(child);
        var reader = new SectionReader(child, errors);
        var value = read(reader);
        reader.Done();
        return value;
    }

    private SectionNode? Child(string key)
    {
        _known.Add(key);
        return section.Find(key);
    }

    private SectionNode? Scalar(string key)
    {
        var child = Child(key);
        if (child is { Children.Count: > 0 })
            errors.Add($"{child.Path} holds keys; allowed is one value.");
        return child;
    }

    private IReadOnlyCollection<SectionNode> Nested(string key)
    {
        if (Child(key) is not { } child)
            return [];
        CheckNested(child);
        return child.Children;
    }

    private void CheckNested(SectionNode child)
    {
        if (child.Value is { Length: > 0 })
            errors.Add($"{child.Path}: '{child.Value}' is one value; allowed are keys below it.");
    }

    private delegate bool TryParse<T>(string text, out T value);

    private T? Parse<T>(string key, string allowed, TryParse<T> parse)
        where T : struct => TryRead(key, allowed, parse, out var value) ? value : null;

    private bool TryRead<T>(string key, string allowed, TryParse<T> parse, out T value)
    {
        value = default!;
        var child = Scalar(key);
        if (child is null || string.IsNullOrEmpty(child.Value))
            return false;
        if (parse(child.Value, out value))
            return true;
        errors.Add($"{child.Path}: '{child.Value}' is not allowed; it must be {allowed}.");
        return false;
    }
}
