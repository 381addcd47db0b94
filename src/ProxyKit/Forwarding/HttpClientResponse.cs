using Microsoft.Extensions.Primitives;
using ProxyKit.FastCgi;
using HeaderStringValues = System.Net.Http.Headers.HeaderStringValues;

namespace ProxyKit.Forwarding;

/// <summary>A response of HttpClient's.</summary>
internal sealed class HttpClientResponse : UpstreamResponse
{
    private readonly HttpResponseMessage _message;
    private Stream? _body;

    public HttpClientResponse(HttpResponseMessage message)
    {
        _message = message;
        // A Content-Length beside chunks says nothing (RFC 9112 §6.3). FastCGI has an end of its own, which is to be seen.
        ContentLength = message.Headers.TransferEncodingChunked == true || EndsRequest ? null : message.Content.Headers.ContentLength;
        foreach (var (name, values) in message.Headers.NonValidated)
            Headers.Add(name, ToStringValues(values));
        foreach (var (name, values) in message.Content.Headers.NonValidated)
            Headers.Add(name, ToStringValues(values));
    }

    public override int StatusCode => (int)_message.StatusCode;

    public override string? ReasonPhrase => _message.ReasonPhrase;

    public override Version Version => _message.Version;

    public override HeaderList Headers { get; } = new();

    public override HeaderList Trailers { get; } = new();

    public override long? ContentLength { get; }

    public override HttpResponseMessage Message => _message;

    // php answers early to a body that it does not want; its connection is closed then.
    public override bool EndsRequest => _message.Content is FastCgiContent;

    public override ValueTask<int> ReadAsync(Memory<byte> memory, CancellationToken cancellationToken) =>
        _body is { } body ? ReadBodyAsync(body, memory, cancellationToken) : OpenAndReadAsync(memory, cancellationToken);

    public override async ValueTask ReadTrailersAsync(CancellationToken cancellationToken)
    {
        // Beside a Content-Length only HTTP/2 and 3 have trailers.
        if (ContentLength is not null && Version.Major >= 2)
            await ReadAsync(new byte[1], cancellationToken);
    }

    public override void Dispose() => _message.Dispose();

    private async ValueTask<int> OpenAndReadAsync(Memory<byte> memory, CancellationToken cancellationToken)
    {
        _body = await _message.Content.ReadAsStreamAsync(cancellationToken);
        return await ReadBodyAsync(_body, memory, cancellationToken);
    }

    private async ValueTask<int> ReadBodyAsync(Stream body, Memory<byte> memory, CancellationToken cancellationToken)
    {
        var read = await body.ReadAsync(memory, cancellationToken);
        if (read == 0)
        {
            foreach (var (name, values) in _message.TrailingHeaders.NonValidated)
                Trailers.Add(name, ToStringValues(values));
        }
        return read;
    }

    // Kestrel throws at controls; a lenient upstream's must not turn its whole response into an error.
    private static StringValues ToStringValues(HeaderStringValues values)
    {
        if (values.Count <= 1)
            return RequestGuard.WithoutControls(values.ToString());
        var array = new string[values.Count];
        var i = 0;
        foreach (var value in values)
            array[i++] = RequestGuard.WithoutControls(value);
        return array;
    }
}
