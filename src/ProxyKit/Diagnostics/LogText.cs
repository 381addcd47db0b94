namespace ProxyKit.Diagnostics;

/// <summary>Text of strangers in log lines, which are read in terminals and by programs that take them apart.</summary>
internal static class LogText
{
    private const int MaxQuote = 200;

    /// <summary>The beginning of what somebody else has chosen.</summary>
    public static string Quote(string text) => Printable(text.Length > MaxQuote ? text[..MaxQuote] + "…" : text);

    /// <summary>No control, no line separator, nothing that turns the text around.</summary>
    public static string Printable(string text)
    {
        foreach (var c in text)
        {
            if (IsDangerous(c))
                return string.Create(text.Length, text, static (span, text) =>
                {
                    for (var i = 0; i < span.Length; i++)
                        span[i] = IsDangerous(text[i]) ? ' ' : text[i];
                });
        }
        return text;
    }

    private static bool IsDangerous(char c) => char.IsControl(c) || c is '\u2028' or '\u2029' or (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069');
}
