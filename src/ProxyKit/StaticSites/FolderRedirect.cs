using Microsoft.AspNetCore.Http;

namespace ProxyKit.StaticSites;

/// <summary>Sends who asked for a folder without its slash to where its page's relative links begin.</summary>
internal static class FolderRedirect
{
    // A path and nothing else: where the client believes the host to be is not for us to say. 308 keeps the method.
    public static Task SendAsync(HttpContext context, string path)
    {
        context.Response.StatusCode = context.Request.Method is "GET" or "HEAD" ? StatusCodes.Status301MovedPermanently : StatusCodes.Status308PermanentRedirect;
        // "//host/" would be another host's address, and so would "/\\host/" to a browser.
        context.Response.Headers.Location = $"/{path.AsSpan().TrimStart("/\\")}/{context.Request.QueryString}";
        return Task.CompletedTask;
    }
}
