using System.Collections.Concurrent;

namespace ProxyKit.Testing;

/// <summary>
/// Upstreams in memory, for a user's unit tests: the addresses that the proxy is configured with are answered by a <c>TestServer</c>'s handler or by a delegate, without
/// a socket, and fail on command. Register them with <c>services.AddProxyTestDestinations(…)</c>, last.
/// </summary>
public sealed class TestDestinations
{
    private readonly ConcurrentDictionary<string, TestDestination> _destinations = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Has <paramref name="handler"/> answer for an address; <c>TestServer.CreateHandler()</c> makes one.</summary>
    /// <param name="address">As the proxy is configured with it.</param>
    /// <param name="handler">Answers.</param>
    /// <exception cref="ArgumentException">The address is not one.</exception>
    public TestDestination Map(string address, HttpMessageHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        var target = DestinationAddress.TryParse(address, out var parsed)
            ? parsed
            : throw new ArgumentException($"'{address}' is not a destination address. Allowed are {DestinationAddress.Allowed}.", nameof(address));
        return _destinations[target.Authority] = new(new PlainUriHandler(handler));
    }

    /// <summary>Has <paramref name="answer"/> answer for an address.</summary>
    public TestDestination Map(string address, Func<HttpRequestMessage, HttpResponseMessage> answer)
    {
        ArgumentNullException.ThrowIfNull(answer);
        return Map(address, new DelegateHandler(answer));
    }

    internal HttpMessageInvoker CreateInvoker() => new(new Router(this));

    internal TestDestination Find(string authority) =>
        _destinations.TryGetValue(authority, out var destination)
            ? destination
            // A test must never reach out by accident.
            : throw new HttpRequestException(HttpRequestError.ConnectionError,
                $"No test destination is mapped for {authority}. Mapped are: {string.Join(", ", _destinations.Keys)}.");

    private sealed class Router(TestDestinations destinations) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            destinations.Find(request.RequestUri!.Authority).AnswerAsync(request, cancellationToken);
    }

    /// <summary>TestServer cannot take URIs apart that are not canonicalised. Their original text stays.</summary>
    private sealed class PlainUriHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (InnerHandler is not DelegateHandler)
                request.RequestUri = new Uri(request.RequestUri!.OriginalString);
            return base.SendAsync(request, cancellationToken);
        }
    }

    private sealed class DelegateHandler(Func<HttpRequestMessage, HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            // The body is read, as a server would: a delegate can look at it without more ado.
            if (request.Content is { } content)
            {
                var body = new MemoryStream();
                await content.CopyToAsync(body, cancellationToken);
                body.Position = 0;
                var buffered = new StreamContent(body);
                foreach (var (name, values) in content.Headers.NonValidated)
                    buffered.Headers.TryAddWithoutValidation(name, values);
                request.Content = buffered;
            }
            var response = answer(request);
            response.RequestMessage ??= request;
            response.Content ??= new ByteArrayContent([]);
            return response;
        }
    }
}
