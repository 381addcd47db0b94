using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace ProxyKit.SessionAffinity;

/// <summary>The application's own session cookie: remembers which destination set it.</summary>
internal sealed class LearnPolicy(TimeProvider time, Microsoft.Extensions.Logging.ILoggerFactory loggers) : ISessionAffinityPolicy
{
    private readonly AffinityLog _log = new(loggers);

    public string Name => SessionAffinityPolicies.Learn;

    public SessionAffinityKeys CreateKeys(ClusterConfig cluster, SessionAffinityKeys? previous) => new Keys(
        cluster,
        previous is Keys { Sessions: var known } && known.Config == cluster.SessionAffinity!.Learn ? known : new(cluster.SessionAffinity!.Learn, time),
        time, _log);

    private sealed class Keys(ClusterConfig cluster, LearnedSessions sessions, TimeProvider time, AffinityLog log) : SessionAffinityKeys(cluster)
    {
        private readonly string _name = cluster.SessionAffinity!.AffinityKeyName!;
        private long _warned;

        public LearnedSessions Sessions => sessions;

        // A session that is not known here, after a restart perhaps, is as good as a new one: if its destination does not know it either, it will set another.
        public override string? Find(HttpContext context)
        {
            var session = Session(context);
            return session.IsEmpty ? null : sessions.Find(session);
        }

        public override void Send(HttpContext context, string key, bool isCurrent)
        {
            if (CookieOf(context) is { } cookie)
            {
                if (IsRemoval(cookie))
                    sessions.Forget(Session(context));
                else if (!sessions.Learn(cookie.Value, key))
                    Warn();
            }
            else if (!isCurrent && Session(context) is { IsEmpty: false } session)
            {
                sessions.Move(session, key);
            }
        }

        internal override void Forget(HttpContext context) => sessions.Forget(Session(context));

        private ReadOnlySpan<char> Session(HttpContext context) => CookieHeader.Find(context.Request.Headers.Cookie, _name);

        // The last one of that name wins in browsers.
        private SetCookieHeaderValue? CookieOf(HttpContext context)
        {
            var lines = context.Response.Headers.SetCookie;
            for (var i = lines.Count - 1; i >= 0; i--)
            {
                if (lines[i] is { } line && line.StartsWith(_name, StringComparison.Ordinal) && SetCookieHeaderValue.TryParse(line, out var cookie) && cookie.Name.Equals(_name, StringComparison.Ordinal))
                    return cookie;
            }
            return null;
        }

        private bool IsRemoval(SetCookieHeaderValue cookie) =>
            cookie.Value.Length == 0 || (cookie.MaxAge is { } age ? age <= TimeSpan.Zero : cookie.Expires <= time.GetUtcNow());

        // Once in a while, not for each session.
        private void Warn()
        {
            var (now, last) = (time.GetTimestamp(), Volatile.Read(ref _warned));
            if ((last == 0 || time.GetElapsedTime(last, now) > TimeSpan.FromMinutes(1)) && Interlocked.CompareExchange(ref _warned, now, last) == last)
                log.SessionsForgotten(Cluster.ClusterId, Config.Learn.MaxSessions);
        }
    }
}
