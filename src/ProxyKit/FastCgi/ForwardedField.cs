using System.Text;

namespace ProxyKit.FastCgi;

/// <summary>An element of <c>Forwarded</c> (RFC 7239 §4): what one proxy says.</summary>
internal readonly record struct ForwardedField(string? For, string? Proto, string? Host)
{
    public static List<ForwardedField> Parse(string field)
    {
        var elements = new List<ForwardedField>();
        var element = default(ForwardedField);
        var isEmpty = true;
        for (var i = 0; i <= field.Length;)
        {
            if (i == field.Length || field[i] == ',')
            {
                if (!isEmpty)
                    elements.Add(element);
                (element, isEmpty) = (default, true);
                i++;
            }
            else if (field[i] is ';' or ' ' or '\t')
                i++;
            else
            {
                var name = Until(field, ref i, "=;,");
                var value = "";
                if (i < field.Length && field[i] == '=')
                {
                    i++;
                    value = i < field.Length && field[i] == '"' ? Quoted(field, ref i) : Until(field, ref i, ";,");
                }
                isEmpty = false;
                element = name.ToUpperInvariant() switch
                {
                    "FOR" => element with { For = value },
                    "PROTO" => element with { Proto = value },
                    "HOST" => element with { Host = value },
                    _ => element,
                };
            }
        }
        return elements;
    }

    private static string Until(string field, ref int i, string ends)
    {
        var start = i;
        while (i < field.Length && !ends.Contains(field[i], StringComparison.Ordinal))
            i++;
        return field[start..i].Trim();
    }

    // RFC 9110 §5.6.4
    private static string Quoted(string field, ref int i)
    {
        var text = new StringBuilder();
        for (i++; i < field.Length && field[i] != '"'; i++)
        {
            if (field[i] == '\\' && i + 1 < field.Length)
                i++;
            text.Append(field[i]);
        }
        i++;
        return text.ToString();
    }
}
