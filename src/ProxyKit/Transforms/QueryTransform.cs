using System.Text;
using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;

namespace ProxyKit.Transforms;

internal enum QueryAction
{
    Set,
    Append,
    Remove,
}

/// <summary>Changes one query parameter and leaves every byte of the others alone.</summary>
internal sealed record QueryTransform(QueryAction Action, string Name, string? Value, string? RouteValue) : RequestTransform
{
    public override void Apply(HttpContext context, PreparedRequest request)
    {
        var value = Value;
        if (RouteValue is not null && (value = context.Request.RouteValues[RouteValue]?.ToString()) is null)
            return;

        var builder = new StringBuilder(request.Query.Length + Name.Length + (value?.Length ?? 0) + 2);
        var query = request.Query.AsSpan(request.Query.Length > 0 ? 1 : 0);
        foreach (var range in query.Split('&'))
        {
            var parameter = query[range];
            if (parameter.IsEmpty || (Action != QueryAction.Append && IsNamed(parameter)))
                continue;
            builder.Append(builder.Length == 0 ? '?' : '&').Append(parameter);
        }
        if (Action != QueryAction.Remove)
            builder.Append(builder.Length == 0 ? '?' : '&').Append(Uri.EscapeDataString(Name)).Append('=').Append(Uri.EscapeDataString(value!));
        request.Query = builder.ToString();
    }

    private bool IsNamed(ReadOnlySpan<char> parameter)
    {
        var equals = parameter.IndexOf('=');
        var name = equals < 0 ? parameter : parameter[..equals];
        return name.ContainsAny('%', '+')
            ? Uri.UnescapeDataString(name.ToString().Replace('+', ' ')).Equals(Name, StringComparison.OrdinalIgnoreCase)
            : name.Equals(Name, StringComparison.OrdinalIgnoreCase);
    }
}
