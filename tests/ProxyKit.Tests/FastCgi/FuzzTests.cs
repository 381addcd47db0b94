using System.Buffers.Binary;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyKit.FastCgi;
using ProxyKit.Forwarding;
using static ProxyKit.Tests.FastCgi.Records;

namespace ProxyKit.Tests.FastCgi;

/// <summary>Answers made at random, and broken at random, with fixed seeds: a failure can be repeated.</summary>
public class FuzzTests
{
    private static readonly string[] s_heads =
    [
        "X: y\n\n", "Status: 404 Not Found\r\nContent-type: text/html\r\n\r\n", "Content-Length: 20\r\n\r\n", "Location: /x\n\n", "X: y\r\nno colon\r\n\r\n", "Status: 99\n\n", "\n",
        "Set-Cookie: a\nSet-Cookie: b\r\n\n", "X: y\r\n", "Transfer-Encoding: chunked\n\n",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task However_it_is_cut_an_answer_is_the_same_and_nothing_but_its_output(int seed)
    {
        var random = new Random(seed);
        int whole = 0, failed = 0;
        for (var i = 0; i < 4000; i++)
        {
            var reply = Reply(random);
            var output = OutputOf(reply);

            var atOnce = await ExchangeAsync(reply, () => int.MaxValue);
            var byteByByte = await ExchangeAsync(reply, () => 1);
            var somehow = await ExchangeAsync(reply, () => random.Next(1, 40));

            // What follows a body that has its length is not read, or came with it.
            var length = output.Length - HeadLength(output);
            var isCut = new[] { atOnce, byteByByte, somehow }.Any(r => r.IsWhole && r.Body.Length < length);
            foreach (var result in new[] { atOnce, byteByByte, somehow })
            {
                Assert.True(isCut || result.IsWhole == atOnce.IsWhole, $"seed {seed}, case {i}: {Convert.ToHexString(reply)}");
                if (result.IsWhole && atOnce.IsWhole)
                    Assert.Equal((atOnce.Status, atOnce.Fields, atOnce.Body), (result.Status, result.Fields, result.Body));
                Assert.Equal(result.Body, output.Substring(HeadLength(output), result.Body.Length));
            }
            whole += atOnce.IsWhole ? 1 : 0;
            failed += atOnce.IsWhole ? 0 : 1;
        }
        // Both are tried.
        Assert.True(whole > 500 && failed > 500, $"{whole} whole, {failed} failed");
    }

    [Fact]
    public void The_parser_of_heads_throws_nothing_but_that_it_is_none()
    {
        var random = new Random(5);
        var whole = new CgiHeadParser(); // used again and again
        const string alphabet = "\r\n\n\n:: \tStatus200Content-Length\0\x7fé";
        for (var i = 0; i < 50_000; i++)
        {
            var text = Encoding.Latin1.GetBytes(random.GetItems<char>(alphabet, random.Next(40)));
            whole.Reset();
            var pieces = new CgiHeadParser();
            Assert.Equal(Try(whole, text, text.Length), Try(pieces, text, 1));
            Assert.Equal((whole.StatusCode, whole.ReasonPhrase), (pieces.StatusCode, pieces.ReasonPhrase));
            Assert.Equal(whole.Headers.Fields.ToArray().Select(f => (f.Name, f.Value)), pieces.Headers.Fields.ToArray().Select(f => (f.Name, f.Value)));
        }

        static string Try(CgiHeadParser parser, byte[] text, int step)
        {
            try
            {
                for (var length = step; length <= text.Length && step > 0; length += step)
                {
                    if (parser.TryParse(text.AsSpan(0, length)))
                        return $"head of {parser.Length}, {parser.ContentLength}";
                }
                return "unfinished";
            }
            catch (UpstreamException e)
            {
                return e.Message;
            }
        }
    }

    private static byte[] Reply(Random random)
    {
        var output = s_heads[random.Next(s_heads.Length)] + new string('b', random.Next(30));
        var reply = new List<byte>();
        while (output.Length > 0)
        {
            var length = random.Next(1, output.Length + 1);
            reply.AddRange(Output(output[..length], random.Next(3) == 0 ? random.Next(256) : 0));
            output = output[length..];
            if (random.Next(6) == 0)
                reply.AddRange(Error("oh no\n"));
            if (random.Next(8) == 0)
                reply.AddRange(Output(""));
        }
        if (random.Next(8) != 0)
            reply.AddRange(End(random.Next(10) == 0 ? (byte)random.Next(6) : (byte)0, random.Next(9)));
        if (random.Next(8) == 0)
            reply.AddRange(Output("after"));
        if (random.Next(3) == 0)
        {
            for (var changes = random.Next(1, 4); changes > 0; changes--)
                reply[random.Next(reply.Count)] = (byte)random.Next(256);
        }
        if (random.Next(6) == 0)
            reply.RemoveRange(random.Next(reply.Count), 1);
        return [.. reply];
    }

    /// <summary>What a reader with all of it in hand takes for the script's output.</summary>
    private static string OutputOf(byte[] reply)
    {
        var output = new StringBuilder();
        for (var position = 0; position + 8 <= reply.Length;)
        {
            var (version, type, id) = (reply[position], reply[position + 1], BinaryPrimitives.ReadUInt16BigEndian(reply.AsSpan(position + 2)));
            var (length, padding) = (BinaryPrimitives.ReadUInt16BigEndian(reply.AsSpan(position + 4)), reply[position + 6]);
            if (version != 1 || (id == 1 && type == 3) || (id > 1 && type is 3 or 6 or 7))
                break;
            var content = reply.AsSpan(position + 8, Math.Min(length, reply.Length - position - 8));
            if (id == 1 && type == 6)
                output.Append(Encoding.Latin1.GetString(content));
            position += 8 + length + padding;
        }
        return output.ToString();
    }

    private static int HeadLength(string output)
    {
        for (int i = 0, line = 0; i < output.Length; i++)
        {
            if (output[i] != '\n')
                continue;
            if (output[line..i] is "" or "\r")
                return i + 1;
            line = i + 1;
        }
        return output.Length;
    }

    private static async Task<(bool IsWhole, int Status, string Fields, string Body)> ExchangeAsync(byte[] reply, Func<int> step)
    {
        var connection = new Memory(reply, step);
        using var invoker = new HttpMessageInvoker(new FastCgiHandler(new FastCgiSettings("app", connection, new(), TimeProvider.System, NullLogger.Instance)));
        try
        {
            using var response = await invoker.SendAsync(new(HttpMethod.Get, "http://localhost/"), default);
            var (body, exception) = await ReplyTests.ReadUntilItBreaksAsync(response);
            Assert.True(exception is null or HttpIOException, exception?.ToString());
            return (exception is null, (int)response.StatusCode, response.Headers.ToString() + response.Content.Headers, body);
        }
        catch (HttpRequestException e)
        {
            Assert.True(e.HttpRequestError is HttpRequestError.InvalidResponse or HttpRequestError.ResponseEnded or HttpRequestError.Unknown, e.ToString());
            return (false, 0, "", "");
        }
        finally
        {
            Assert.True(connection.IsOver);
        }
    }

    private sealed class Memory(byte[] reply, Func<int> step) : IFastCgiConnections, IFastCgiConnection
    {
        private int _position;

        public bool IsOver { get; private set; }

        public bool KeepsConnections => true;

        public bool IsReused => false;

        public ValueTask<IFastCgiConnection> RentAsync(bool fresh, CancellationToken cancellationToken) => new(this);

        public ValueTask<int> ReceiveAsync(Memory<byte> memory, CancellationToken cancellationToken)
        {
            var length = Math.Min(Math.Min(step(), memory.Length), reply.Length - _position);
            reply.AsMemory(_position, length).CopyTo(memory);
            _position += length;
            return new(length);
        }

        public ValueTask SendAsync(ReadOnlyMemory<byte> memory, CancellationToken cancellationToken) => default;

        public void Return()
        {
            Assert.False(IsOver);
            IsOver = true;
        }

        public void Dispose() => IsOver = true;
    }
}
