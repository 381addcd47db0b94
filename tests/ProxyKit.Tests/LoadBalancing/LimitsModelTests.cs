using CsCheck;

namespace ProxyKit.Tests.LoadBalancing;

/// <summary>
/// Whatever happens in whatever order (requests come, end, leave, wait too long; limits and health change), the limiter does what a plain model does that looks at
/// everybody who waits after each event.
/// </summary>
public class LimitsModelTests
{
    private const int Destinations = 3;
    private static readonly TimeSpan s_queueTimeout = TimeSpan.FromSeconds(10);

    private static readonly Gen<Action<Run>> s_event = Gen.Frequency(
        (6, Gen.Select(Gen.Int[-3, Destinations - 1], Gen.Int[0, 9], (only, tried) => (Action<Run>)(run => run.Arrive(Math.Max(only, -1), tried)))),
        (5, Gen.Int[0, 50].Select(i => (Action<Run>)(run => run.Finish(i)))),
        (1, Gen.Int[0, 50].Select(i => (Action<Run>)(run => run.Leave(i)))),
        (1, Gen.Int[1, 6].Select(seconds => (Action<Run>)(run => run.Advance(seconds)))),
        (1, Gen.Select(Gen.Int[0, Destinations - 1], Gen.Bool, (i, up) => (Action<Run>)(run => run.SetHealth(i, up)))),
        (1, Gen.Select(Gen.Int[0, 5], Gen.Int[0, 2].Array[Destinations], Gen.Int[0, 6], (cluster, own, queue) => (Action<Run>)(run => run.SetLimits(cluster, own, queue)))));

    [Fact]
    public async Task The_limiter_does_what_the_model_does() =>
        await s_event.Array[1, 80].SampleAsync(
            async events =>
            {
                using var run = new Run();
                foreach (var next in events)
                {
                    next(run);
                    run.AssertSame();
                }
                await run.AssertOutcomesAsync();
                await run.EndAsync();
            },
            iter: 3000, print: events => $"{events.Length} events");

    private sealed class Run : IDisposable
    {
        private readonly LimitedCluster _cluster;
        private readonly List<Entry> _all = [], _waiting = [], _active = [];
        private readonly bool[] _up = [true, true, true];
        private int?[] _own = [1, 2, 1];
        private int? _limit = 3;
        private int _queue = 4;
        private TimeSpan _now;

        public Run() => _cluster = new(Config());

        private bool IsLimited => _limit is not null || _own.Any(o => o is not null);

        private bool IsClusterFull => _active.Count >= _limit;

        public void Arrive(int only, int tried)
        {
            // 8 and 9: it has tried none, as most.
            var entry = new Entry { Only = only, Tried = tried < 8 ? tried : 0, Deadline = _now + s_queueTimeout };
            var destinations = _cluster.Destinations;
            entry.Request = _cluster.Arrive(only < 0 ? null : destinations[only], [.. destinations.Where((_, i) => entry.HasTried(i))]);
            _all.Add(entry);
            if (TryAdmit(entry))
                return;
            if (entry.Outcome is null && _waiting.Count >= _queue)
                entry.Outcome = ProxyError.QueueFull;
            if (entry.Outcome is null)
                _waiting.Add(entry);
        }

        public void Finish(int i)
        {
            if (_active.Count == 0)
                return;
            var entry = _active[i % _active.Count];
            var wasFull = IsClusterFull;
            _active.Remove(entry);
            _cluster.Destinations[entry.Destination!.Value].EndRequest();
            // Somebody who could use nothing, but was not looked at because the cluster was full, is found now or later.
            foreach (var waiting in _waiting.ToArray())
            {
                if (TryAdmit(waiting) || (wasFull && waiting.Outcome is not null))
                    _waiting.Remove(waiting);
                if (waiting.Destination is not null)
                    break;
            }
            Assert.DoesNotContain(_waiting, waiting => Where(waiting) is { Destination: not null });
        }

        public void Leave(int i)
        {
            if (_waiting.Count == 0)
                return;
            var entry = _waiting[i % _waiting.Count];
            _waiting.Remove(entry);
            entry.HasLeft = true;
            entry.Request.Leave();
        }

        public void Advance(int seconds)
        {
            _now += TimeSpan.FromSeconds(seconds);
            _cluster.Time.Advance(TimeSpan.FromSeconds(seconds));
            foreach (var late in _waiting.Where(w => w.Deadline <= _now).ToArray())
            {
                _waiting.Remove(late);
                late.Outcome = ProxyError.QueueTimeout;
            }
        }

        public void SetHealth(int i, bool up)
        {
            if (_up[i] == up)
                return;
            _up[i] = up;
            _cluster.Destinations[i].ActiveHealth = up ? DestinationHealth.Healthy : DestinationHealth.Unhealthy;
            Settle();
        }

        public void SetLimits(int cluster, int[] own, int queue)
        {
            _limit = cluster == 0 ? null : cluster;
            _own = [.. own.Select(o => o == 0 ? (int?)null : o)];
            _queue = queue;
            _cluster.Apply(Config());
            Settle();
        }

        public void AssertSame()
        {
            Assert.Equal(Enumerable.Range(0, Destinations).Select(Active), _cluster.Destinations.Select(d => d.ActiveRequests));
            Assert.Equal(IsLimited, _cluster.Cluster.Limiter is not null);
            if (!IsLimited)
                Assert.Empty(_waiting);
            else
                Assert.Equal((_active.Count, _waiting.Count), (_cluster.Limiter.ActiveRequests, _cluster.Limiter.QueueLength));
        }

        public async Task AssertOutcomesAsync()
        {
            foreach (var entry in _all)
            {
                if (entry.HasLeft)
                    await entry.Request.HasLeftAsync();
                else if (entry.Destination is { } i)
                    Assert.Same(_cluster.Destinations[i], await entry.Request.DestinationAsync());
                else if (entry.Outcome is { } error)
                    Assert.Equal(error, await entry.Request.ErrorAsync());
                else
                    Assert.True(entry.Request.IsWaiting);
            }
        }

        public async Task EndAsync()
        {
            while (_active.Count > 0)
                Finish(0);
            AssertSame();
            await AssertOutcomesAsync();
            Assert.All(_cluster.Destinations, d => Assert.Equal(0, d.ActiveRequests));
        }

        public void Dispose()
        {
            foreach (var entry in _all)
                entry.Request.Dispose();
            _cluster.Dispose();
        }

        private int Active(int i) => _active.Count(e => e.Destination == i);

        private void Settle()
        {
            foreach (var waiting in _waiting.ToArray())
            {
                if (TryAdmit(waiting) || waiting.Outcome is not null)
                    _waiting.Remove(waiting);
            }
        }

        private bool TryAdmit(Entry entry)
        {
            (entry.Destination, entry.Outcome) = Where(entry);
            if (entry.Destination is null)
                return false;
            _active.Add(entry);
            return true;
        }

        private (int? Destination, ProxyError? Outcome) Where(Entry entry)
        {
            var isFull = IsClusterFull;
            if (isFull && _up.Any(up => up))
                return default;
            var usable = Enumerable.Range(0, Destinations).Where(i => _up[i] && !entry.HasTried(i) && (entry.Only < 0 || entry.Only == i)).ToArray();
            if (usable.Length == 0)
                return (null, ProxyError.NoAvailableDestinations);
            return (usable.Where(i => !isFull && !(Active(i) >= _own[i])).Select(i => (int?)i).FirstOrDefault(), null);
        }

        private ClusterConfig Config() => LimitedCluster.Config(new() { MaxConcurrentRequests = _limit, QueueLimit = _queue, QueueTimeout = s_queueTimeout }, _own);
    }

    private sealed class Entry
    {
        public required int Only { get; init; }

        public required int Tried { get; init; }

        public required TimeSpan Deadline { get; init; }

        public LimitedCluster.Request Request { get; set; } = null!;

        public int? Destination { get; set; }

        public ProxyError? Outcome { get; set; }

        public bool HasLeft { get; set; }

        public bool HasTried(int i) => (Tried & (1 << i)) != 0;
    }
}
