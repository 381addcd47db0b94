using ProxyKit.Pipeline;

namespace ProxyKit.LoadBalancing;

/// <summary>Of two destinations drawn by weight, the one that is likely to answer first.</summary>
internal sealed class LeastTimePolicy(TimeProvider time) : ILoadBalancingPolicy, IAttemptObserver
{
    // A destination that fails at once, or refuses what is too much for it, must not look like a fast one.
    private const double FailureSeconds = 1;

    private const double UnknownScore = 1e9;

    public string Name => LoadBalancingPolicies.LeastTime;

    private double Now => (double)time.GetTimestamp() / time.TimestampFrequency;

    public DestinationPicker CreatePicker(DestinationSet destinations, DestinationPicker? previous) => new Picker(this, new(destinations));

    public void Answered(Destination destination, in AttemptOutcome outcome)
    {
        var seconds = outcome.Duration.TotalSeconds;
        if (outcome.Error == ProxyError.None && outcome.StatusCode is not (502 or 503 or 504))
            destination.TimeToFirstByte.Observe(seconds, Now);
        else if (outcome.Class == FailureClass.Client)
            destination.TimeToFirstByte.ObservePeak(seconds, Now); // it was kept waiting at least so long
        else if (outcome.Error is not (ProxyError.RequestCreation or ProxyError.ResponseCreation)) // those are the app's own
            destination.TimeToFirstByte.ObservePeak(Math.Max(seconds, FailureSeconds), Now);
    }

    public void BrokeOff(Destination destination, ProxyError error) => destination.TimeToFirstByte.ObservePeak(FailureSeconds, Now);

    private sealed class Picker(LeastTimePolicy policy, WeightedDraw draw) : DestinationPicker
    {
        public override Destination? Pick(in PickContext context)
        {
            var first = draw.Next(context, except: -1);
            if (first < 0)
                return null;
            var second = draw.Next(context, except: first);
            if (second < 0)
                return draw[first];
            var now = policy.Now;
            return draw[Score(second, now) < Score(first, now) ? second : first];
        }

        private double Score(int index, double now)
        {
            var destination = draw[index];
            var active = (double)destination.ActiveRequests;
            var average = destination.TimeToFirstByte.ValueAt(now);
            // One that nothing is known of gets one request, and more only instead of others of its kind, until it has answered.
            return average == 0 ? active == 0 ? 0 : UnknownScore + (active / draw.WeightOf(index)) : average * (active + 1) / draw.WeightOf(index);
        }
    }
}
