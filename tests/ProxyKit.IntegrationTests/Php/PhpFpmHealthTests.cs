using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>Health checks of a real php-fpm, by its ping and status pages.</summary>
public class PhpFpmHealthTests
{
    [Theory]
    [InlineData("/ping", null, "pong")]
    [InlineData("/status", "json", "\"process manager\":\"static\"")]
    public async Task Its_pages_answer_and_one_that_has_died_gets_no_requests(string path, string? query, string body)
    {
        await using var one = (await PhpFpm.StartAsync(o => o.StatusIsInPool = true)).With("a.php", "<?php echo 'one';");
        await using var two = (await PhpFpm.StartAsync(o => o.IsTcp = o.StatusIsInPool = true)).With("a.php", "<?php echo 'two';");
        await using var app = await KestrelApp.StartProxyAsync(one.Address, route => route
            .WithDestination(two.Address, _ => { })
            .WithHealthChecks(h =>
            {
                h.Active.Probe = HealthProbe.Http;
                h.Active.Path = path;
                h.Active.Query = query;
                h.Active.ExpectedBody = body;
                h.Active.Interval = TimeSpan.FromMilliseconds(50);
                h.Active.IntervalWhenDown = h.Active.Interval;
                h.Active.Fall = 1;
                h.Active.StartupWait = TimeSpan.FromSeconds(20);
            }));
        var control = app.Services.GetRequiredService<IProxyControl>();
        await UntilAsync(control, 2);

        await two.StopAsync();
        await UntilAsync(control, 1);
    }

    private static async Task UntilAsync(IProxyControl control, int healthy)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (control.GetDestinations("/{**path}").Count(d => d.ActiveHealth == DestinationHealth.Healthy) != healthy)
        {
            Assert.False(limit.IsCancellationRequested, string.Join("; ", control.GetDestinations("/{**path}").Select(d => $"{d.Name} {d.ActiveHealth} {d.ProbeFailure}")));
            await Task.Delay(20, CancellationToken.None);
        }
    }
}
