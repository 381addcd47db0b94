using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Forwarding;

/// <summary>
/// The fields that the client nominates in <c>Connection</c>, as they arrived (RFC 9110 §7.6.1). A field that the app's own middleware has set since is not the client's to
/// remove, whatever its name.
/// </summary>
internal sealed class NominatedFields
{
    private readonly string[] _names;
    private readonly StringValues[]? _received;

    private NominatedFields(string[] names, StringValues[]? received) => (_names, _received) = (names, received);

    /// <summary>Null if nothing is nominated.</summary>
    public static NominatedFields? Of(HttpContext context)
    {
        if (context.Request.Headers.Connection is not { Count: > 0 } connection)
            return null;
        if (context.Items.TryGetValue(typeof(NominatedFields), out var remembered))
            return (NominatedFields?)remembered;
        return HeaderRules.Nominated(connection) is { } names ? new(names, null) : null;
    }

    /// <summary>Whether this is a nominated field with the value that the client sent.</summary>
    public bool Contains(string name, StringValues value)
    {
        for (var i = 0; i < _names.Length; i++)
        {
            if (_names[i].Equals(name, StringComparison.OrdinalIgnoreCase))
                return _received is null || IsSame(_received[i], value);
        }
        return false;
    }

    // The same text set by a middleware is another string.
    private static bool IsSame(StringValues received, StringValues value)
    {
        if (received.Count != value.Count)
            return false;
        for (var i = 0; i < value.Count; i++)
        {
            if (!ReferenceEquals(received[i], value[i]))
                return false;
        }
        return true;
    }

    /// <summary>Looks at the request before any middleware of the app does.</summary>
    public sealed class Recorder : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(static next => context =>
            {
                var headers = context.Request.Headers;
                if (headers.Connection is { Count: > 0 } connection && HeaderRules.Nominated(connection) is { } names)
                    context.Items[typeof(NominatedFields)] = new NominatedFields(names, Array.ConvertAll(names, name => headers[name]));
                return next(context);
            });
            next(app);
        };
    }
}
