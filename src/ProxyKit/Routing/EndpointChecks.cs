using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OutputCaching;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Routing;

/// <summary>
/// Finds what is asked for on a proxy endpoint and not in force: a policy without its services or middleware, two routes that match the same requests. Runs when the
/// app's pipeline is complete and before the server takes connections, because only then every convention and middleware is known.
/// </summary>
internal sealed partial class EndpointChecks(IServiceProvider services) : IStartupFilter
{
    // The meter of ASP.NET Core's rate limiting is made by its middleware, which nothing else public tells of.
    private const string RateLimitingMeter = "Microsoft.AspNetCore.RateLimiting";

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        // The first middleware is created last.
        app.Use(pipeline =>
        {
            Check();
            return pipeline;
        });
        next(app);
    };

    private void Check()
    {
        var errors = new List<string>();
        var endpoints = (services.GetService<EndpointDataSource>()?.Endpoints ?? []).Where(e => e.Metadata.GetMetadata<RouteConfig>() is not null).ToArray();
        foreach (var endpoint in endpoints)
        {
            var route = endpoint.Metadata.GetMetadata<RouteConfig>()!;
            var where = $"Route '{route.RouteId}'";
            CheckAuthorization(where, endpoint, errors);
            if (endpoint.Metadata.GetMetadata<ICorsMetadata>() is IEnableCorsAttribute && services.GetService<ICorsPolicyProvider>() is null)
                errors.Add($"{where}: RequireCors needs builder.Services.AddCors().");
            if (endpoint.Metadata.GetMetadata<EnableRateLimitingAttribute>() is { } limit && endpoint.Metadata.GetMetadata<DisableRateLimitingAttribute>() is null && !UsesRateLimiter())
                errors.Add($"{where}: RequireRateLimiting{(limit.PolicyName is { } name ? $"(\"{name}\")" : "")} has no effect without builder.Services.AddRateLimiter(…) and app.UseRateLimiter().");
            if (route.Cache is { Enabled: true } && (endpoint.Metadata.GetMetadata<IOutputCachePolicy>() ?? (object?)endpoint.Metadata.GetMetadata<OutputCacheAttribute>()) is not null)
                errors.Add($"{where}: WithCache and CacheOutput are two caches for the same responses; remove one of them.");
        }
        CheckPatterns(endpoints, errors);
        if (errors.Count > 0)
            throw new ProxyConfigurationException(errors);
    }

    private void CheckAuthorization(string where, Endpoint endpoint, List<string> errors)
    {
        if (endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null)
            return;
        foreach (var data in endpoint.Metadata.GetOrderedMetadata<IAuthorizeData>())
        {
            var asked = data.Policy is { } policy ? $"RequireAuthorization(\"{policy}\")" : "RequireAuthorization";
            if (services.GetService<IAuthorizationPolicyProvider>() is not { } provider)
                errors.Add($"{where}: {asked} needs builder.Services.AddAuthorization().");
            else if (data.Policy is { } name && provider.GetPolicyAsync(name).GetAwaiter().GetResult() is null)
                errors.Add($"{where}: there is no authorization policy '{name}'. Add it with builder.Services.AddAuthorization(…).");
        }
    }

    private bool UsesRateLimiter()
    {
        var factory = services.GetService<IMeterFactory>();
        var isUsed = false;
        using var listener = new MeterListener { InstrumentPublished = (instrument, _) => isUsed |= instrument.Meter.Name == RateLimitingMeter && ReferenceEquals(instrument.Meter.Scope, factory) };
        listener.Start();
        return isUsed;
    }

    // Routing reports two endpoints that match the same request with 500, and not before the first such request.
    private void CheckPatterns(Endpoint[] endpoints, List<string> errors)
    {
        // A policy of the app's own may tell them apart.
        if (services.GetServices<MatcherPolicy>().Any(p => p.GetType().Assembly.GetName().Name is not { } name || !(name.StartsWith("Microsoft.AspNetCore.", StringComparison.Ordinal) || name == "ProxyKit")))
            return;
        foreach (var same in endpoints.OfType<RouteEndpoint>().GroupBy(Matches, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1))
        {
            var routes = same.Select(e => $"'{e.Metadata.GetMetadata<RouteConfig>()!.RouteId}'").ToArray();
            errors.Add($"Routes {string.Join(" and ", routes)} match the same requests: '{same.First().RoutePattern.RawText}'. Change a path, or add Match or Order to one of them.");
        }
    }

    private static string Matches(RouteEndpoint endpoint)
    {
        var match = endpoint.Metadata.GetMetadata<RouteConfig>()!.Match;
        return string.Join(
            '\n',
            [
                $"{endpoint.Order}",
                ParameterName().Replace("/" + endpoint.RoutePattern.RawText?.TrimStart('/'), "{$1"),
                .. (endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? []).Order(StringComparer.OrdinalIgnoreCase),
                .. (endpoint.Metadata.GetMetadata<IHostMetadata>()?.Hosts ?? []).Order(StringComparer.OrdinalIgnoreCase),
                .. match.Headers.Select(h => $"{h} {string.Join(',', h.Values)}"),
                .. match.QueryParameters.Select(q => $"{q} {string.Join(',', q.Values)}"),
            ]);
    }

    [GeneratedRegex(@"\{(\*{0,2})[^{}:?=]*")]
    private static partial Regex ParameterName();
}
