namespace ProxyKit;

/// <summary>What a request must look like for a route to take it. All that is given must hold.</summary>
public sealed record RouteMatch
{
    /// <summary>An ASP.NET Core route pattern, such as <c>/shop/{**path}</c>. Default: any path, when <see cref="Hosts"/> is given.</summary>
    public string? Path { get; init; }

    /// <summary>HTTP methods, as sent. Default: any.</summary>
    public ValueList<string> Methods { get; init; } = [];

    /// <summary>Hosts, with port if wanted; <c>*.example.com</c> matches subdomains. Default: any.</summary>
    public ValueList<string> Hosts { get; init; } = [];

    /// <summary>Header conditions. Default: none.</summary>
    public ValueList<HeaderMatch> Headers { get; init; } = [];

    /// <summary>Query parameter conditions. Default: none.</summary>
    public ValueList<QueryParameterMatch> QueryParameters { get; init; } = [];
}

/// <summary>A condition on a request header.</summary>
public sealed record HeaderMatch
{
    /// <summary>The header's name; case-insensitive.</summary>
    public required string Name { get; init; }

    /// <summary>The values compared with. None with <see cref="HeaderMatchMode.Exists"/> and <see cref="HeaderMatchMode.NotExists"/>.</summary>
    public ValueList<string> Values { get; init; } = [];

    /// <summary>How they are compared. Default: <see cref="HeaderMatchMode.ExactHeader"/>.</summary>
    public HeaderMatchMode Mode { get; init; }

    /// <summary>Whether case counts. Default: false.</summary>
    public bool IsCaseSensitive { get; init; }
}

/// <summary>How a header is compared.</summary>
public enum HeaderMatchMode
{
    /// <summary>One of the header's values equals one of the given.</summary>
    ExactHeader,

    /// <summary>One of the header's values starts with one of the given.</summary>
    HeaderPrefix,

    /// <summary>One of the header's values contains one of the given.</summary>
    Contains,

    /// <summary>The header is absent, or no value contains any of the given.</summary>
    NotContains,

    /// <summary>The header is there with a value that is not empty.</summary>
    Exists,

    /// <summary>The header is not there.</summary>
    NotExists,
}

/// <summary>A condition on a query parameter.</summary>
public sealed record QueryParameterMatch
{
    /// <summary>The parameter's name; case-insensitive.</summary>
    public required string Name { get; init; }

    /// <summary>The values compared with. None with <see cref="QueryParameterMatchMode.Exists"/>.</summary>
    public ValueList<string> Values { get; init; } = [];

    /// <summary>How they are compared. Default: <see cref="QueryParameterMatchMode.Exact"/>.</summary>
    public QueryParameterMatchMode Mode { get; init; }

    /// <summary>Whether case counts. Default: false.</summary>
    public bool IsCaseSensitive { get; init; }
}

/// <summary>How a query parameter is compared.</summary>
public enum QueryParameterMatchMode
{
    /// <summary>One of the parameter's values equals one of the given.</summary>
    Exact,

    /// <summary>One of the parameter's values contains one of the given.</summary>
    Contains,

    /// <summary>The parameter is absent, or no value contains any of the given.</summary>
    NotContains,

    /// <summary>One of the parameter's values starts with one of the given.</summary>
    Prefix,

    /// <summary>The parameter is there with a value that is not empty.</summary>
    Exists,
}
