using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.Tests;

/// <summary>Apps that must not start.</summary>
internal static class Misconfigured
{
    /// <summary>The errors with which the app is refused.</summary>
    public static async Task<IReadOnlyList<string>> ErrorsAsync(Action<IServiceCollection> services, Action<WebApplication> map)
    {
        var exception = await Assert.ThrowsAsync<ProxyConfigurationException>(async () =>
        {
            await using var app = await ProxyApp.StartAsync(services, map);
        });
        Assert.All(exception.Errors, error => Assert.Contains(error, exception.Message, StringComparison.Ordinal));
        return exception.Errors;
    }

    public static Task<IReadOnlyList<string>> ErrorsAsync(Action<WebApplication> map) => ErrorsAsync(services => services.AddReverseProxy(), map);

    /// <summary>The errors of a JSON section.</summary>
    public static Task<IReadOnlyList<string>> JsonErrorsAsync(string json) =>
        ErrorsAsync(services => services.AddReverseProxy().LoadFromConfig(Json(json)), app => app.MapReverseProxy());

    /// <summary>A configuration section of this JSON (apostrophes for quotes), at the path <c>ReverseProxy</c>.</summary>
    public static IConfigurationSection Json(string json) =>
        new ConfigurationBuilder()
            .AddJsonStream(new MemoryStream(System.Text.Encoding.UTF8.GetBytes($"{{\"ReverseProxy\":{json.Replace('\'', '"')}}}")))
            .Build().GetSection("ReverseProxy");
}
