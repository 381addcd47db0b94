using Microsoft.AspNetCore.Http;

namespace ProxyKit;

/// <summary>A site behind FastCGI; see <see cref="FastCgiConfig"/>.</summary>
public sealed class FastCgiOptions
{
    private readonly Dictionary<string, string> _parameters;
    private readonly List<KeyValuePair<string, Func<HttpContext, string?>>> _computed;

    internal FastCgiOptions(FastCgiConfig config)
    {
        Root = config.Root;
        Index = config.Index;
        Extensions = [.. config.Extensions];
        CheckScript = config.CheckScript;
        ResolveRoot = config.ResolveRoot;
        SymbolicLinks = config.SymbolicLinks;
        _parameters = new(config.Parameters, StringComparer.OrdinalIgnoreCase);
        _computed = [.. config.ComputedParameters];
    }

    /// <inheritdoc cref="FastCgiConfig.Root"/>
    public string? Root { get; set; }

    /// <inheritdoc cref="FastCgiConfig.Index"/>
    public string Index { get; set; }

    /// <inheritdoc cref="FastCgiConfig.Extensions"/>
    public IList<string> Extensions { get; }

    /// <inheritdoc cref="FastCgiConfig.CheckScript"/>
    public bool CheckScript { get; set; }

    /// <inheritdoc cref="FastCgiConfig.ResolveRoot"/>
    public bool ResolveRoot { get; set; }

    /// <inheritdoc cref="FastCgiConfig.SymbolicLinks"/>
    public SymbolicLinkPolicy SymbolicLinks { get; set; }

    /// <summary>Gives a parameter a value, in the place of the one that it has. nginx: <c>fastcgi_param</c>; Caddy: <c>env</c>.</summary>
    /// <param name="name">A letter or an underscore, then letters, digits and underscores; not <c>CONTENT_LENGTH</c>, which is the body's.</param>
    /// <param name="value">The value; an empty one takes the parameter away.</param>
    public FastCgiOptions SetParameter(string name, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        Forget(name);
        _parameters[name] = value;
        return this;
    }

    /// <summary>Gives a parameter a value that is made for each request.</summary>
    /// <param name="name">A letter or an underscore, then letters, digits and underscores; not <c>CONTENT_LENGTH</c>, which is the body's.</param>
    /// <param name="value">Makes the value; none, or an empty one, takes the parameter away. If it throws, the answer is 502.</param>
    public FastCgiOptions SetParameter(string name, Func<HttpContext, string?> value)
    {
        ArgumentNullException.ThrowIfNull(value);
        Forget(name);
        _computed.Add(new(name, value));
        return this;
    }

    internal FastCgiConfig ToConfig() => new()
    {
        Root = Root,
        Index = Index,
        Extensions = Extensions.ToValueList(),
        CheckScript = CheckScript,
        ResolveRoot = ResolveRoot,
        SymbolicLinks = SymbolicLinks,
        Parameters = new(_parameters),
        ComputedParameters = _computed.ToValueList(),
    };

    private void Forget(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        _parameters.Remove(name);
        _computed.RemoveAll(parameter => parameter.Key.Equals(name, StringComparison.OrdinalIgnoreCase));
    }
}
