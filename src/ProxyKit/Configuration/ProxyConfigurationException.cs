namespace ProxyKit;

/// <summary>The configuration is wrong. The message lists everything that is, with the path, the value and what is allowed.</summary>
public sealed class ProxyConfigurationException : Exception
{
    internal ProxyConfigurationException(IReadOnlyList<string> errors)
        : base($"The reverse proxy's configuration has {errors.Count} error{(errors.Count == 1 ? "" : "s")}:{string.Concat(errors.Select(e => $"{Environment.NewLine}  - {e}"))}") =>
        Errors = errors;

    /// <summary>The errors, one by one.</summary>
    public IReadOnlyList<string> Errors { get; }
}
