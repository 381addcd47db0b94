using Microsoft.AspNetCore.Http;

namespace ProxyKit;

/// <summary>What a request delegate of <see cref="TransformBuilder.OnRequest"/> works on.</summary>
/// <remarks>Setting a status code other than 200, or writing to the response, answers the request: it is not forwarded.</remarks>
public sealed class RequestTransformContext
{
    internal RequestTransformContext(HttpContext httpContext, HttpRequestMessage request, Destination destination, CancellationToken cancellationToken)
    {
        HttpContext = httpContext;
        Request = request;
        Destination = destination;
        CancellationToken = cancellationToken;
    }

    /// <summary>The client's request.</summary>
    public HttpContext HttpContext { get; }

    /// <summary>The request that will be sent, after all other transforms. Its content must not be replaced; replace <see cref="HttpRequest.Body"/> instead.</summary>
    public HttpRequestMessage Request { get; }

    /// <summary>Where it will be sent.</summary>
    public Destination Destination { get; }

    /// <summary>Cancelled when the client leaves or time is up.</summary>
    public CancellationToken CancellationToken { get; }
}

/// <summary>What a response delegate of <see cref="TransformBuilder.OnResponse"/> or <see cref="TransformBuilder.OnResponseTrailers"/> works on.</summary>
public sealed class ResponseTransformContext
{
    internal ResponseTransformContext(HttpContext httpContext, HttpResponseMessage? response, CancellationToken cancellationToken)
    {
        HttpContext = httpContext;
        Response = response;
        CancellationToken = cancellationToken;
    }

    /// <summary>The client's request and response; the response's headers have been copied.</summary>
    public HttpContext HttpContext { get; }

    /// <summary>The upstream's response; null when the proxy answers with an error of its own.</summary>
    public HttpResponseMessage? Response { get; }

    /// <summary>Set to keep the upstream's body from the client, for instance because the delegate has written another. Default: false.</summary>
    public bool SuppressResponseBody { get; set; }

    /// <summary>Cancelled when the client leaves or time is up.</summary>
    public CancellationToken CancellationToken { get; }
}
