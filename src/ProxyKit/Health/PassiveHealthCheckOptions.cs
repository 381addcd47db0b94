namespace ProxyKit;

/// <summary>When requests take a destination out of rotation; see <see cref="PassiveHealthCheckConfig"/>.</summary>
public sealed class PassiveHealthCheckOptions
{
    /// <inheritdoc cref="PassiveHealthCheckConfig.Enabled"/>
    public bool Enabled { get; set; } = true;

    internal PassiveHealthCheckConfig ToConfig() => new() { Enabled = Enabled };
}
