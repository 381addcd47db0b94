using System.Net;

namespace ProxyKit.Tests;

/// <summary>An upstream that remembers what it was sent.</summary>
internal sealed class Recorder
{
    private readonly List<Received> _requests = [];

    /// <summary>What it answers. Default: 200 without a body.</summary>
    public Func<HttpRequestMessage, HttpResponseMessage> Answer { get; set; } = _ => new(HttpStatusCode.OK);

    public IReadOnlyList<Received> Requests => _requests;

    public Received Last => _requests[^1];

    /// <summary>An upstream that answers with these headers.</summary>
    public static Recorder WithHeaders(params (string Name, string Value)[] headers) => new()
    {
        Answer = _ =>
        {
            var response = new HttpResponseMessage { Content = new ByteArrayContent([]) };
            foreach (var (name, value) in headers)
            {
                if (!response.Headers.TryAddWithoutValidation(name, value))
                    response.Content.Headers.TryAddWithoutValidation(name, value);
            }
            return response;
        },
    };

    public HttpResponseMessage Handle(HttpRequestMessage request)
    {
        using var reader = request.Content is { } content ? new StreamReader(content.ReadAsStream()) : null;
        lock (_requests)
            _requests.Add(new(request, reader?.ReadToEnd() ?? ""));
        return Answer(request);
    }
}

/// <summary>A request as the upstream saw it.</summary>
internal sealed class Received(HttpRequestMessage message, string body)
{
    public string Method => message.Method.Method;

    public string Uri => message.RequestUri!.OriginalString;

    /// <summary>Path and query, byte for byte.</summary>
    public string Target => message.RequestUri!.PathAndQuery;

    public string? Host => message.Headers.Host;

    public string Body => body;

    /// <summary>A header's value, its lines joined with a bar; null if it is not there.</summary>
    public string? this[string name] =>
        message.Headers.NonValidated.TryGetValues(name, out var values) || (message.Content?.Headers.NonValidated.TryGetValues(name, out values) ?? false)
            ? string.Join(" | ", values.Select(v => v))
            : null;
}
