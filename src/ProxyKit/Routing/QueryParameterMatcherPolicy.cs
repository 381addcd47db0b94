using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Routing;

internal sealed record QueryParameterMatchMetadata(QueryParameterMatch[] QueryParameters);

/// <summary>Lets routes match by query parameter. Costs nothing where no candidate asks for it.</summary>
internal sealed class QueryParameterMatcherPolicy : MatcherPolicy, IEndpointComparerPolicy, IEndpointSelectorPolicy
{
    public override int Order => -40;

    public IComparer<Endpoint> Comparer { get; } = new MostConditionsFirst<QueryParameterMatchMetadata>(m => m.QueryParameters.Length);

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints)
    {
        foreach (var endpoint in endpoints)
        {
            if (endpoint.Metadata.GetMetadata<QueryParameterMatchMetadata>() is not null)
                return true;
        }
        return false;
    }

    public Task ApplyAsync(HttpContext httpContext, CandidateSet candidates)
    {
        for (var i = 0; i < candidates.Count; i++)
        {
            if (!candidates.IsValidCandidate(i) || candidates[i].Endpoint.Metadata.GetMetadata<QueryParameterMatchMetadata>() is not { } metadata)
                continue;
            foreach (var match in metadata.QueryParameters)
            {
                if (!IsMatch(match, httpContext.Request.Query[match.Name]))
                {
                    candidates.SetValidity(i, false);
                    break;
                }
            }
        }
        return Task.CompletedTask;
    }

    private static bool IsMatch(QueryParameterMatch match, StringValues values)
    {
        var comparison = match.IsCaseSensitive ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase;
        return match.Mode switch
        {
            QueryParameterMatchMode.Exists => !StringValues.IsNullOrEmpty(values),
            QueryParameterMatchMode.NotContains => !AnyValue(match, values, (value, wanted) => value.Contains(wanted, comparison)),
            QueryParameterMatchMode.Contains => AnyValue(match, values, (value, wanted) => value.Contains(wanted, comparison)),
            QueryParameterMatchMode.Prefix => AnyValue(match, values, (value, wanted) => value.StartsWith(wanted, comparison)),
            _ => AnyValue(match, values, (value, wanted) => value.Equals(wanted, comparison)),
        };
    }

    private static bool AnyValue(QueryParameterMatch match, StringValues values, Func<string, string, bool> test)
    {
        foreach (var value in values)
        {
            foreach (var wanted in match.Values.AsSpan())
            {
                if (test(value ?? "", wanted))
                    return true;
            }
        }
        return false;
    }
}
