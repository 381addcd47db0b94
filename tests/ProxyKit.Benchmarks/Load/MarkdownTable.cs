namespace ProxyKit.Benchmarks.Load;

/// <summary>Prints rows, the first of which is the head, so that they read well unrendered too.</summary>
internal static class MarkdownTable
{
    public static void Write(TextWriter output, List<string[]> rows)
    {
        var widths = rows[0].Select((_, i) => rows.Max(row => row[i].Length)).ToArray();
        for (var i = 0; i < rows.Count; i++)
        {
            output.WriteLine($"| {string.Join(" | ", rows[i].Select((cell, c) => c == 0 ? cell.PadRight(widths[c]) : cell.PadLeft(widths[c])))} |");
            if (i == 0)
                output.WriteLine($"|{string.Join('|', widths.Select((width, c) => new string('-', width + 1) + (c == 0 ? '-' : ':')))}|");
        }
        output.Flush();
    }
}
