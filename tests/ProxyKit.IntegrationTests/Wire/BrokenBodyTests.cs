using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>A response that fails midway never looks whole to the client (acceptance/forwarding.md, 4e and "more rows").</summary>
public class BrokenBodyTests : WireTests
{
    private const string Chunked = "Transfer-Encoding: chunked\r\n", Length = "Content-Length: 1000\r\n", UntilClose = "";

    // What is sent first and reaches the client, what is sent then, how the upstream ends.
    public static TheoryData<string, string, string, string, End> Kinds => new()
    {
        { "chunked, closed inside a chunk", Chunked, "5\r\nfirst\r\n", "10\r\nabc", End.Close },
        { "chunked, closed between chunks", Chunked, "5\r\nfirst\r\n", "", End.Close },
        { "chunked, closed inside a chunk size", Chunked, "5\r\nfirst\r\n", "1", End.Close },
        { "chunked, closed inside the trailers", Chunked, "5\r\nfirst\r\n", "0\r\n", End.Close },
        { "chunked, reset inside a chunk", Chunked, "5\r\nfirst\r\n", "10\r\nabc", End.Reset },
        { "chunked, reset between chunks", Chunked, "5\r\nfirst\r\n", "", End.Reset },
        { "chunked, bad chunk size", Chunked, "5\r\nfirst\r\n", "xyz\r\nabc\r\n0\r\n\r\n", End.Stay },
        { "chunked, chunk size overflow", Chunked, "5\r\nfirst\r\n", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n", End.Stay },
        { "chunked, chunk without its end", Chunked, "5\r\nfirst\r\n", "3\r\nabcXX0\r\n\r\n", End.Stay },
        { "CL, closed short", Length, "first", "abc", End.Close },
        { "CL, reset", Length, "first", "abc", End.Reset },
        { "close-delimited, reset", UntilClose, "first", "abc", End.Reset },
        { "CL, silent beyond the idle timeout", Length, "first", "", End.Stay },
        { "chunked, silent beyond the idle timeout", Chunked, "5\r\nfirst\r\n", "", End.Stay },
    };

    public enum End
    {
        Close,
        Reset,
        Stay,
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task Aborts_an_HTTP11_client(string row, string framing, string first, string then, End end)
    {
        var (start, rest, reset) = await BreakAsync("HTTP/1.1", framing, first, then, end);

        Assert.StartsWith("HTTP/1.1 200", start);
        Assert.False((start + rest).EndsWith("0\r\n\r\n", StringComparison.Ordinal), $"{row}: {start}{rest}");
        Assert.True(reset || Raw.Has(start, "Transfer-Encoding") || Raw.Value(start, "Content-Length") == "1000");
        Assert.DoesNotContain("HTTP/1.1", rest, StringComparison.Ordinal);
    }

    // Here the close of the connection is the end of the body: only a reset tells the difference.
    [Theory, MemberData(nameof(Kinds))]
    public async Task Resets_an_HTTP10_client(string row, string framing, string first, string then, End end)
    {
        var (start, rest, reset) = await BreakAsync("HTTP/1.0", framing, first, then, end);

        Assert.StartsWith("HTTP/1.1 200", start);
        Assert.False(Raw.Has(start, "Transfer-Encoding"));
        Assert.True(reset || Raw.Value(start, "Content-Length") == "1000", $"{row}: {start}{rest}");
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task Is_502_or_an_abort_when_all_comes_at_once(string row, string framing, string first, string then, End end)
    {
        await using var wire = await StartAsync(framing, first, then, end, () => Task.CompletedTask);

        var response = await wire.GetAsync("/");

        if (response.StartsWith("HTTP/1.1 502", StringComparison.Ordinal) || response.StartsWith("HTTP/1.1 504", StringComparison.Ordinal))
            return;
        Assert.False(response.EndsWith("0\r\n\r\n", StringComparison.Ordinal), $"{row}: {response}");
    }

    private async Task<(string Start, string Remainder, bool Reset)> BreakAsync(string version, string framing, string first, string then, End end)
    {
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var wire = await StartAsync(framing, first, then, end, () => arrived.Task);
        using var client = await wire.ConnectAsync();
        await client.SendAsync($"GET / {version}\r\nHost: a\r\n\r\n");
        var start = await client.ReadUntilAsync("first");
        arrived.SetResult();
        var (rest, reset) = await client.ReadToEndOrResetAsync();
        return (start, rest, reset);
    }

    private Task<WireProxy> StartAsync(string framing, string first, string then, End end, Func<Task> arrived) => StartAsync(
        new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync($"HTTP/1.1 200 OK\r\n{framing}\r\n{first}");
            await arrived();
            await connection.SendAsync(then);
            if (end == End.Reset)
                connection.Reset();
            else if (end == End.Stay)
                await connection.ClosedAsync();
        }),
        route: r => r.WithTimeouts(t => t.Idle = TimeSpan.FromMilliseconds(end == End.Stay ? 500 : 10_000)));

    [Theory]
    [InlineData(Chunked)]
    [InlineData(Length)]
    public async Task Is_502_or_an_abort_when_there_is_none_of_it(string framing)
    {
        await using var wire = await StartAsync($"HTTP/1.1 200 OK\r\n{framing}\r\n");

        var response = await wire.GetAsync("/");

        if (Raw.Status(response) != 502)
            Assert.False(response.EndsWith("0\r\n\r\n", StringComparison.Ordinal), response);
    }

    [Fact]
    public async Task A_body_of_a_close_delimited_reply_ends_where_the_upstream_closes()
    {
        await using var wire = await StartAsync("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it");

        Assert.EndsWith("\r\n9\r\nall of it\r\n0\r\n\r\n", await wire.GetAsync("/"));
        Assert.EndsWith("\r\n\r\nall of it", await wire.SendAsync("GET / HTTP/1.0\r\n\r\n"));
    }
}

public sealed class BrokenBodyOverHttpClientTests : BrokenBodyTests
{
    protected override bool OverHttpClient => true;
}
