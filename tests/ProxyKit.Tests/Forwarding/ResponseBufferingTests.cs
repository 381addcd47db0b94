using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using ProxyKit.Testing;

namespace ProxyKit.Tests.Forwarding;

public class ResponseBufferingTests
{
    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public async Task Buffering_in_front_of_the_proxy_is_switched_off_unless_it_is_allowed(bool allowed, bool isSwitchedOff)
    {
        var destinations = new TestDestinations();
        destinations.Map(ProxyApp.Upstream, _ => new(HttpStatusCode.OK) { Content = new StringContent("body") });
        RecordingBody? body = null;
        await using var app = await ProxyApp.StartAsync(
            services =>
            {
                services.AddReverseProxy();
                services.AddProxyTestDestinations(destinations);
            },
            app =>
            {
                app.Use((context, next) =>
                {
                    context.Features.Set<IHttpResponseBodyFeature>(body = new(context.Features.GetRequiredFeature<IHttpResponseBodyFeature>()));
                    return next(context);
                });
                app.MapProxy("/{**path}", ProxyApp.Upstream).WithHttpRequest(r => r.AllowResponseBuffering = allowed);
            });

        Assert.Equal("body", await app.Client.GetStringAsync("/"));
        Assert.Equal(isSwitchedOff, body!.BufferingIsDisabled);
    }

    private sealed class RecordingBody(IHttpResponseBodyFeature inner) : StreamResponseBodyFeature(inner.Stream, inner)
    {
        public bool BufferingIsDisabled { get; private set; }

        public override void DisableBuffering()
        {
            BufferingIsDisabled = true;
            base.DisableBuffering();
        }
    }
}
