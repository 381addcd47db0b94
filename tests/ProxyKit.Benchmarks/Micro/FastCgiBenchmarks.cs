using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyKit.FastCgi;

namespace ProxyKit.Benchmarks.Micro;

/// <summary>FastCGI without sockets: a whole exchange, and its parts.</summary>
[MemoryDiagnoser]
public class FastCgiBenchmarks
{
    private static readonly byte[] s_head = "X-Powered-By: PHP/8.2.36\r\nSet-Cookie: a=b; path=/\r\nCache-Control: no-store\r\nContent-type: text/html; charset=UTF-8\r\n\r\n"u8.ToArray();
    private static readonly KeyValuePair<string, string>[] s_parameters =
    [
        new("SCRIPT_FILENAME", "/var/www/html/index.php"), new("DOCUMENT_ROOT", "/var/www/html"), new("SCRIPT_NAME", "/index.php"), new("REQUEST_URI", "/2026/11/hello-world/?a=b"),
        new("QUERY_STRING", "a=b"), new("REQUEST_METHOD", "GET"), new("SERVER_PROTOCOL", "HTTP/1.1"), new("SERVER_NAME", "example.com"), new("SERVER_PORT", "443"), new("HTTPS", "on"),
        new("REMOTE_ADDR", "203.0.113.7"), new("REMOTE_PORT", "51234"), new("SERVER_ADDR", "127.0.0.1"), new("PATH_INFO", "/2026/11/hello-world/"), new("HTTP_HOST", "example.com"),
    ];

    private readonly HttpRequestMessage _request = Request();
    private readonly byte[] _records = [.. Record(6, s_head), .. Record(6, new byte[2000]), .. Record(3, new byte[8])];
    private readonly byte[] _buffer = new byte[16 * 1024];
    private readonly CgiHeadParser _parser = new();
    private HttpMessageInvoker _invoker = null!;

    [GlobalSetup]
    public void SetUp() => _invoker = new(new FastCgiHandler(new FastCgiSettings("app", new Memory(_records), new(), TimeProvider.System, NullLogger.Instance)));

    [Benchmark(Baseline = true)]
    public async Task<int> Exchange()
    {
        using var response = await _invoker.SendAsync(_request, default);
        var body = await response.Content.ReadAsStreamAsync();
        var length = 0;
        while (await body.ReadAsync(_buffer) is > 0 and var read)
            length += read;
        return length;
    }

    [Benchmark]
    public int Parameters()
    {
        using var writer = new FastCgiRequestWriter(keepConnection: true);
        writer.Begin();
        CgiVariables.Write(writer, _request, null);
        writer.EndParameters();
        return writer.Written.Length;
    }

    [Benchmark]
    public int RecordsOfAnAnswer()
    {
        var parser = new FastCgiRecordParser();
        var output = 0;
        for (var position = 0; ;)
        {
            var part = parser.Read(_records.AsSpan(position), out var consumed, out var content);
            position += consumed;
            output += content.Length;
            if (part is FastCgiPart.End or FastCgiPart.None)
                return output;
        }
    }

    [Benchmark]
    public bool Head()
    {
        _parser.Reset();
        return _parser.TryParse(s_head);
    }

    private static HttpRequestMessage Request()
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "http://localhost/2026/11/hello-world/?a=b");
        request.Options.Set(FastCgiHandler.Parameters, s_parameters);
        request.Headers.TryAddWithoutValidation("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
        request.Headers.TryAddWithoutValidation("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        request.Headers.TryAddWithoutValidation("Accept-Language", "en-US,en;q=0.5");
        request.Headers.TryAddWithoutValidation("Accept-Encoding", "gzip, deflate, br, zstd");
        request.Headers.TryAddWithoutValidation("Cookie", "wordpress_logged_in=admin; session=0123456789abcdef");
        request.Headers.TryAddWithoutValidation("X-Forwarded-For", "203.0.113.7");
        return request;
    }

    private static byte[] Record(byte type, byte[] content) => [1, type, 0, 1, (byte)(content.Length >> 8), (byte)content.Length, 0, 0, .. content];

    /// <summary>A connection that answers at once.</summary>
    private sealed class Memory(byte[] reply) : IFastCgiConnections, IFastCgiConnection
    {
        private int _position;

        public bool KeepsConnections => true;

        public bool IsReused => true;

        public ValueTask<IFastCgiConnection> RentAsync(bool fresh, CancellationToken cancellationToken)
        {
            _position = 0;
            return new(this);
        }

        public ValueTask<int> ReceiveAsync(Memory<byte> memory, CancellationToken cancellationToken)
        {
            var length = Math.Min(memory.Length, reply.Length - _position);
            reply.AsMemory(_position, length).CopyTo(memory);
            _position += length;
            return new(length);
        }

        public ValueTask SendAsync(ReadOnlyMemory<byte> memory, CancellationToken cancellationToken) => default;

        public void Return()
        {
        }

        public void Dispose()
        {
        }
    }
}
