using ProxyKit.Diagnostics;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>What goes wrong with an application, in the classes that decide about another attempt.</summary>
internal static class FastCgiFailure
{
    /// <summary>The answer is none.</summary>
    public static UpstreamException Invalid(string what) =>
        new(ProxyError.InvalidResponse, FailureClass.Answered, $"The FastCGI application's answer has {LogText.Quote(what)}.");

    /// <summary>The connection failed before there was an answer.</summary>
    public static UpstreamException Unanswered(ProxyError error, string message, Exception? inner) =>
        new(error, FailureClass.Unanswered, message, inner);

    /// <summary>The request is not one that can be sent.</summary>
    public static UpstreamException Refused(int status, string message, Exception? inner = null) =>
        new(ProxyError.RequestRejected, FailureClass.Client, message, inner) { Status = status };

    /// <summary>An END_REQUEST that is not the end of an answer; null if it is.</summary>
    public static UpstreamException? Of(FastCgiStatus status) => status switch
    {
        FastCgiStatus.RequestComplete => null,
        FastCgiStatus.Overloaded => new(ProxyError.Overloaded, FailureClass.NothingSent, "The FastCGI application is overloaded."),
        FastCgiStatus.CannotMultiplex => Invalid("a refusal: it does not multiplex (FCGI_CANT_MPX_CONN)"),
        FastCgiStatus.UnknownRole => Invalid("a refusal: it is no responder (FCGI_UNKNOWN_ROLE)"),
        _ => Invalid($"the unknown protocol status {(byte)status}"),
    };

    /// <summary>As users of HttpClient know it.</summary>
    public static HttpRequestException ForHttpClient(UpstreamException exception) => new(
        exception.Error switch
        {
            ProxyError.NameResolution => HttpRequestError.NameResolutionError,
            ProxyError.Connect or ProxyError.ConnectTimeout or ProxyError.QueueFull or ProxyError.QueueTimeout => HttpRequestError.ConnectionError,
            ProxyError.InvalidResponse => HttpRequestError.InvalidResponse,
            ProxyError.Request or ProxyError.RequestBodyDestination => HttpRequestError.ResponseEnded,
            _ => HttpRequestError.Unknown,
        },
        exception.Message, exception);
}
