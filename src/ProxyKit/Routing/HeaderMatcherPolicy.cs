using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Routing;

internal sealed record HeaderMatchMetadata(HeaderMatch[] Headers);

/// <summary>Lets routes match by header. Costs nothing where no candidate asks for it.</summary>
internal sealed class HeaderMatcherPolicy : MatcherPolicy, IEndpointComparerPolicy, IEndpointSelectorPolicy
{
    // After path, method and host; before query parameters.
    public override int Order => -50;

    public IComparer<Endpoint> Comparer { get; } = new MostConditionsFirst<HeaderMatchMetadata>(m => m.Headers.Length);

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints)
    {
        foreach (var endpoint in endpoints)
        {
            if (endpoint.Metadata.GetMetadata<HeaderMatchMetadata>() is not null)
                return true;
        }
        return false;
    }

    public Task ApplyAsync(HttpContext httpContext, CandidateSet candidates)
    {
        for (var i = 0; i < candidates.Count; i++)
        {
            if (!candidates.IsValidCandidate(i) || candidates[i].Endpoint.Metadata.GetMetadata<HeaderMatchMetadata>() is not { } metadata)
                continue;
            foreach (var match in metadata.Headers)
            {
                if (!IsMatch(match, httpContext.Request.Headers[match.Name]))
                {
                    candidates.SetValidity(i, false);
                    break;
                }
            }
        }
        return Task.CompletedTask;
    }

    internal static bool IsMatch(HeaderMatch match, StringValues values) => match.Mode switch
    {
        HeaderMatchMode.Exists => !StringValues.IsNullOrEmpty(values),
        HeaderMatchMode.NotExists => StringValues.IsNullOrEmpty(values),
        HeaderMatchMode.NotContains => !AnyValue(match, values),
        _ => AnyValue(match, values),
    };

    // Fields whose value is one, with commas in it or not (RFC 9110); of others, each member counts as well as the whole.
    private static readonly FrozenSet<string> s_singletons = FrozenSet.ToFrozenSet(
        ["User-Agent", "Referer", "Host", "Origin", "Authorization", "Proxy-Authorization", "Date", "From", "Content-Type", "Content-Length", "Content-Location", "Content-Range",
         "Destination", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Last-Modified", "Max-Forwards", "Range"],
        StringComparer.OrdinalIgnoreCase);

    private static bool AnyValue(HeaderMatch match, StringValues values)
    {
        // Cookie pairs are separated by semicolons, list members by commas, but not inside quotes.
        var separator = match.Name.Equals("Cookie", StringComparison.OrdinalIgnoreCase) ? ';' : ',';
        var isList = !s_singletons.Contains(match.Name);
        // Several lines are one value to the upstream (RFC 9110 §5.3).
        if (values.Count > 1 && IsAny(match, string.Join($"{separator} ", values.ToArray())))
            return true;
        foreach (var line in values)
        {
            if (IsAny(match, line ?? ""))
                return true;
            if (!isList)
                continue;
            foreach (var value in QuotedList.Split(line ?? "", separator))
            {
                if (IsAny(match, value))
                    return true;
            }
        }
        return false;
    }

    private static bool IsAny(HeaderMatch match, string value)
    {
        foreach (var wanted in match.Values.AsSpan())
        {
            if (Compare(match, value, wanted))
                return true;
        }
        return false;
    }

    private static bool Compare(HeaderMatch match, string value, string wanted)
    {
        var comparison = match.IsCaseSensitive ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase;
        return match.Mode switch
        {
            HeaderMatchMode.Contains or HeaderMatchMode.NotContains => value.Contains(wanted, comparison),
            HeaderMatchMode.HeaderPrefix => value.StartsWith(wanted, comparison),
            _ => value.Equals(wanted, comparison),
        };
    }
}

/// <summary>Routes with more conditions are tried first.</summary>
internal sealed class MostConditionsFirst<TMetadata>(Func<TMetadata, int> count) : IComparer<Endpoint>
    where TMetadata : class
{
    public int Compare(Endpoint? x, Endpoint? y) => Count(y).CompareTo(Count(x));

    private int Count(Endpoint? endpoint) => endpoint?.Metadata.GetMetadata<TMetadata>() is { } metadata ? count(metadata) : 0;
}

internal static class QuotedList
{
    /// <summary>The members of a list; a separator inside a quoted string separates nothing, and a string's quotes are taken off.</summary>
    public static List<string> Split(string text, char separator)
    {
        var members = new List<string>(1);
        var start = 0;
        var quoted = false;
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && quoted && text[i] == '\\')
            {
                i++;
                continue;
            }
            if (i < text.Length && text[i] == '"')
                quoted = !quoted;
            if (i < text.Length && (quoted || text[i] != separator))
                continue;
            var member = text.AsSpan(start, Math.Min(i, text.Length) - start).Trim();
            if (member.Length >= 2 && member[0] == '"' && member[^1] == '"')
                member = member[1..^1];
            if (!member.IsEmpty)
                members.Add(member.ToString());
            start = i + 1;
        }
        return members;
    }
}
