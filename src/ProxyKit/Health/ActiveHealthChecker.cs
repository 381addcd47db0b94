using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>Keeps a prober for each destination that a cluster has at the moment, wherever it comes from.</summary>
internal sealed class ActiveHealthChecker(Cluster cluster, HealthServices services)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Destination, DestinationProber> _probers = [];
    private bool _started, _stopped;

    /// <summary>Begins to probe; until then destinations are only known.</summary>
    public void Start()
    {
        lock (_lock)
        {
            _started = true;
            Follow();
        }
    }

    /// <summary>Takes note of the model in force: what has not changed goes on undisturbed.</summary>
    public void Follow()
    {
        lock (_lock)
        {
            if (!_started || _stopped || cluster.Model is not { } model)
                return;
            var check = model.Config.HealthCheck.Active;
            var destinations = check.Enabled ? model.Destinations : [];
            foreach (var (destination, prober) in _probers.ExceptBy(destinations, p => p.Key).ToArray())
            {
                _probers.Remove(destination);
                prober.Dispose();
                // What nobody checks is not known any more.
                (destination.ActiveHealth, destination.ProbeFailure) = (DestinationHealth.Unknown, null);
            }
            foreach (var destination in destinations)
            {
                var settings = new ProberSettings(check, destination.Config.Health);
                if (_probers.TryGetValue(destination, out var prober) && prober.Settings == settings)
                    continue;
                prober?.Dispose();
                _probers[destination] = prober = new(cluster, destination, settings, services);
                prober.Start();
            }
        }
    }

    /// <summary>Done when each destination has been probed once.</summary>
    public Task FirstRoundAsync()
    {
        lock (_lock)
            return Task.WhenAll(_probers.Values.Select(p => p.FirstProbe));
    }

    /// <summary>Ends it for good.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            _stopped = true;
            foreach (var prober in _probers.Values)
                prober.Dispose();
            _probers.Clear();
        }
    }
}
