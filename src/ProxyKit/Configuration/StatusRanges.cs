using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace ProxyKit.Configuration;

/// <summary>A set of status codes, written as <c>200-299,404</c>.</summary>
internal sealed class StatusRanges
{
    public const string Allowed = "status codes and ranges of them from 100 to 599, such as 200-299,404";

    private const int First = 100, Last = 599;

    private readonly BitArray _statuses = new(Last - First + 1);

    private StatusRanges()
    {
    }

    public bool Contains(int status) => status is >= First and <= Last && _statuses[status - First];

    /// <summary>A text that validation has let pass.</summary>
    [return: NotNullIfNotNull(nameof(text))]
    public static StatusRanges? Parse(string? text) =>
        text is null ? null : TryParse(text, out var ranges) ? ranges : throw new FormatException($"'{text}' is not allowed; it must be {Allowed}.");

    public static bool TryParse(string text, [NotNullWhen(true)] out StatusRanges? ranges)
    {
        ranges = null;
        var parsed = new StatusRanges();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var dash = part.IndexOf('-', StringComparison.Ordinal);
            if (!TryParseStatus(dash < 0 ? part : part.AsSpan(0, dash), out var from) || !TryParseStatus(part.AsSpan(dash + 1), out var to) || to < from)
                return false;
            for (var status = from; status <= to; status++)
                parsed._statuses[status - First] = true;
        }
        ranges = parsed;
        return true;
    }

    private static bool TryParseStatus(ReadOnlySpan<char> text, out int status) =>
        int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out status) && status is >= First and <= Last;
}
