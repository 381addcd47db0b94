namespace ProxyKit.Health;

/// <summary>The verdict on a destination, and how many probes in a row have contradicted it.</summary>
internal sealed class ProbeStreak(ActiveHealthCheckConfig config, DestinationHealth verdict)
{
    private int _contradictions;

    public DestinationHealth Verdict { get; private set; } = verdict;

    /// <summary>Whether the next probe is due sooner: the destination is down, or may be about to change sides.</summary>
    public bool IsUrgent => Verdict == DestinationHealth.Unhealthy || _contradictions > 0;

    /// <summary>Takes a probe's result; true if it has changed the verdict.</summary>
    public bool Add(bool success)
    {
        var says = success ? DestinationHealth.Healthy : DestinationHealth.Unhealthy;
        if (says == Verdict)
        {
            _contradictions = 0;
            return false;
        }
        // A destination of which nothing is known is believed at once: one that is not up yet should not get requests for several intervals.
        if (++_contradictions < (success ? config.Rise : config.Fall) && Verdict != DestinationHealth.Unknown)
            return false;
        _contradictions = 0;
        Verdict = says;
        return true;
    }
}
