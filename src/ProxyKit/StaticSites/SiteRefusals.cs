using Microsoft.AspNetCore.Http;
using ProxyKit.Forwarding;
using ProxyKit.Transforms;

namespace ProxyKit.StaticSites;

/// <summary>Says no, with the route's error page and a line in the log.</summary>
internal sealed class SiteRefusals(RouteConfig route, RouteTransforms transforms, ForwarderServices services)
{
    private readonly ErrorResponder _errors = new(route, transforms, services);

    public static Rejection Hidden { get; } = new(StatusCodes.Status404NotFound, SiteTarget.Hidden.Refusal!);

    public static Rejection Unreadable { get; } = new(StatusCodes.Status403Forbidden, "a file that the proxy may not read");

    public Task RejectAsync(HttpContext context, Rejection rejection)
    {
        var proxy = context.Features.Get<ProxyContext>()!;
        proxy.Error = rejection.Error;
        proxy.FailureClass = FailureClass.Client;
        services.Log.Rejected(rejection, proxy, context);
        return _errors.RejectAsync(context, proxy, rejection);
    }
}
