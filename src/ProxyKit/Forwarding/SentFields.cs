using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using ProxyKit.Caching;
using ProxyKit.Transforms;

namespace ProxyKit.Forwarding;

/// <summary>The header fields of a request in the form in which the upstream is sent it, or would be.</summary>
/// <remarks>CGI, WSGI and PHP read <c>X_User</c> and <c>X-User</c> as one variable, so both are one name here.</remarks>
internal sealed class SentFields
{
    private readonly Dictionary<string, StringValues> _fields = new(FoldedNameComparer.Instance);

    private SentFields()
    {
    }

    /// <summary>What the fields were computed for; an app can run one request through several routes.</summary>
    public object? Owner { get; init; }

    /// <summary>Whether a delegate has made a request for another URL, host or method of the client's.</summary>
    public bool IsRetargeted { get; private init; }

    public StringValues this[string name] => _fields.GetValueOrDefault(name);

    /// <summary>The fields of a prepared request.</summary>
    public static SentFields Of(PreparedRequest prepared, object? owner = null)
    {
        var sent = new SentFields { Owner = owner };
        foreach (ref readonly var field in prepared.Headers.Fields)
            sent.Add(field.Name, field.Value);
        return sent;
    }

    /// <summary>The fields that an attempt has sent: those of the message where delegates and handlers could change it.</summary>
    public static SentFields Of(Attempt attempt)
    {
        if ((attempt.Response?.Message?.RequestMessage ?? attempt.Message) is not { } message)
            return Of(attempt.Request);
        var sent = new SentFields { IsRetargeted = attempt.IsRetargeted };
        foreach (var (name, values) in message.Headers.NonValidated)
            sent.Add(name, new([.. values]));
        if (message.Content is { } content)
        {
            foreach (var (name, values) in content.Headers.NonValidated)
                sent.Add(name, new([.. values]));
        }
        return sent;
    }

    private void Add(string name, StringValues value) => _fields[name] = StringValues.Concat(_fields.GetValueOrDefault(name), value);

    private sealed class FoldedNameComparer : IEqualityComparer<string>
    {
        public static FoldedNameComparer Instance { get; } = new();

        public bool Equals(string? x, string? y)
        {
            if (x is null || y is null || x.Length != y.Length)
                return ReferenceEquals(x, y);
            for (var i = 0; i < x.Length; i++)
            {
                if (Fold(x[i]) != Fold(y[i]))
                    return false;
            }
            return true;
        }

        public int GetHashCode(string obj)
        {
            var hash = default(HashCode);
            foreach (var character in obj)
                hash.Add(Fold(character));
            return hash.ToHashCode();
        }

        private static char Fold(char character) => character is '_' or '.' ? '-' : char.ToLowerInvariant(character);
    }
}

/// <summary>Computes what a route's upstream would be sent for a request, before it is sent: without hop-by-hop, nominated and disallowed fields, and with those that compiled transforms change.</summary>
internal sealed class UpstreamFields(RequestPreparer preparer, RouteTransforms transforms, ReverseProxyOptions options, TrustedPeers trustedPeers)
{
    // Fields that a delegate or a handler has changed on its way to the upstream, where that was seen.
    private readonly ConcurrentDictionary<string, bool> _changed = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// Whether it is known before a request is sent which value the upstream sees. A delegate may set any field to a user's name, and is not asked before; what browsers send alike for all users is believed until a
    /// delegate is seen to change it.
    /// </summary>
    public bool IsKnown(string name) => (_changed.IsEmpty || !_changed.ContainsKey(name)) && (transforms.RequestDelegates.Length == 0 || IsNegotiation(name));

    /// <summary>A delegate or a handler has changed the field.</summary>
    public void SetChanged(string name) => _changed[name] = true;

    private static bool IsNegotiation(string name) =>
        name.StartsWith("Accept", StringComparison.OrdinalIgnoreCase) || name.StartsWith("Sec-", StringComparison.OrdinalIgnoreCase)
        || name.ToUpperInvariant() is "HOST" or "ORIGIN" or "USER-AGENT" or "SAVE-DATA" or "DNT" or "UPGRADE-INSECURE-REQUESTS"
        || HeaderRules.Describe(name).Rule == HeaderRule.Forwarding;

    /// <summary>The values of a field. Allocates nothing for a field that is copied as it came.</summary>
    public StringValues Get(HttpContext context, string name)
    {
        var request = context.Request;
        // The upstream is sent the destination's or the client's: to tell responses apart by the client's is never wrong.
        if (name.Equals("Host", StringComparison.OrdinalIgnoreCase))
            return PublicOrigin.Of(context, this).Host;
        if (IsCopied(name) && IsPlain(context))
            return request.Headers[name];
        if (context.Features.Get<SentFields>() is { } known && known.Owner == this)
            return known[name];
        if (Prepare(context) is not { } fields)
            return request.Headers[name]; // it is refused: nothing is sent, and nothing stored
        context.Features.Set(fields);
        return fields[name];
    }

    public bool IsTrusted(HttpContext context) => trustedPeers.Contains(context.Connection);

    // What the route does to each request alike.
    private bool IsCopied(string name) =>
        transforms.CopyRequestHeaders && transforms.AllowedRequestHeaders is null && !transforms.ChangesRequestHeader(name)
        && HeaderRules.Describe(name) is { Rule: HeaderRule.Forward, IsToken: true, HasUnderscoreOrDot: false };

    // What this request asks for: nothing is nominated, and no other spelling of a name is passed on.
    private bool IsPlain(HttpContext context)
    {
        if (context.GetProxyContext()?.Model.Affinity is not null)
            return false; // it hides the session's own field
        if (context.Request.Headers.Connection is { Count: > 0 } connection && HeaderRules.Nominated(connection) is not null)
            return false;
        if (options.UnderscoreHeaders != UnderscoreHeaders.Keep)
            return true;
        foreach (var (other, _) in context.Request.Headers)
        {
            if (HeaderRules.Describe(other).HasUnderscoreOrDot)
                return false;
        }
        return true;
    }

    private SentFields? Prepare(HttpContext context)
    {
        var prepared = new PreparedRequest();
        if (preparer.Prepare(context, prepared) is not null)
            return null;
        context.GetProxyContext()?.Model.Affinity?.Hide(context, prepared);
        return SentFields.Of(prepared, this);
    }
}
