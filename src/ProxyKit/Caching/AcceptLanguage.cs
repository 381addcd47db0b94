using System.Text;
using Microsoft.Extensions.Primitives;
using ProxyKit.Configuration;

namespace ProxyKit.Caching;

/// <summary>Which languages a client likes (RFC 9110 §12.5.4).</summary>
internal static class AcceptLanguage
{
    private const int MaxLanguages = 32;

    // Begins a text that says nothing of the order.
    private const char Unordered = '~';

    /// <summary>
    /// One text for all that mean the same: in lower case, by weight. Languages of the same weight stay in their order, as servers go by it, though the RFC gives it no meaning;
    /// <paramref name="ignoresOrder"/> puts them in that of the alphabet.
    /// </summary>
    public static string Normalize(StringValues lines, bool ignoresOrder)
    {
        var languages = new List<(string Name, int Quality)>();
        foreach (var member in new FieldList(lines))
        {
            if (!Quality.TryParse(member, out var word, out var quality) || languages.Count == MaxLanguages)
                return VaryValues.Join(lines);
            var name = word.ToString().ToLowerInvariant();
            var at = languages.Count;
            while (at > 0 && (languages[at - 1].Quality < quality || (ignoresOrder && languages[at - 1].Quality == quality && string.CompareOrdinal(languages[at - 1].Name, name) > 0)))
                at--;
            languages.Insert(at, (name, quality));
        }
        var text = new StringBuilder();
        foreach (var (name, quality) in languages)
        {
            text.Append(text.Length > 0 ? "," : ignoresOrder ? $"{Unordered}" : "").Append(name);
            if (quality < 1000)
                text.Append(";q=").Append(quality);
        }
        return text.ToString();
    }

    /// <summary>Whether a text was made without regard to the order.</summary>
    public static bool IgnoresOrder(string normalized) => normalized.StartsWith(Unordered);

    /// <summary>Whether a response's language is the only one with the highest weight.</summary>
    public static bool IsFavourite(StringValues lines, StringValues contentLanguage)
    {
        if (contentLanguage.Count != 1 || !Tokens.IsToken(contentLanguage[0]))
            return false;
        var (best, count, isOurs) = (0, 0, false);
        foreach (var member in new FieldList(lines))
        {
            if (!Quality.TryParse(member, out var name, out var quality))
                return false;
            if (quality < best || quality == 0)
                continue;
            (count, best) = quality > best ? (1, quality) : (count + 1, best);
            isOurs = name.Equals(contentLanguage[0], StringComparison.OrdinalIgnoreCase);
        }
        return count == 1 && isOurs;
    }
}
