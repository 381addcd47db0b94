using System.Globalization;
using Microsoft.AspNetCore.Http;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Caching;

using Wire = Protocols.Wire;

/// <summary>Only what has come to its end is stored, and it comes back as it was.</summary>
public class WholenessTests
{
    private const string Head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n";

    [Theory]
    [InlineData(Wire.Http1, true)]
    [InlineData(Wire.Http1, false)]
    [InlineData(Wire.H2C, true)]
    [InlineData(Wire.H2C, false)]
    public async Task A_hit_has_every_byte_whether_it_is_one_piece_or_several(Wire client, bool isLengthKnown)
    {
        await using var origin = await CachedOrigin.StartAsync(
            async context =>
            {
                var body = Peers.Bytes(int.Parse(context.Request.Path.Value![1..], CultureInfo.InvariantCulture), 7);
                context.Response.Headers.CacheControl = "max-age=60";
                if (isLengthKnown)
                    context.Response.ContentLength = body.Length;
                await context.Response.Body.WriteAsync(body);
            },
            client: client);

        int[] lengths = [1, 16 * 1024, (16 * 1024) + 1, (64 * 1024) - 1, 64 * 1024, (64 * 1024) + 1, 128 * 1024, 300_001, 1_000_000];
        foreach (var length in lengths)
        {
            for (var i = 0; i < 2; i++)
            {
                using var response = await origin.GetAsync($"/{length}");
                Assert.Equal(Peers.Bytes(length, 7), await response.Content.ReadAsByteArrayAsync());
            }
        }
        using var range = await origin.GetAsync("/131072", ("Range", "bytes=65000-66000"));
        Assert.Equal(Peers.Bytes(128 * 1024, 7)[65_000..66_001], await range.Content.ReadAsByteArrayAsync());
        Assert.Equal(lengths.Length, origin.Requests);
    }

    [Theory]
    [InlineData("Content-Length: 10\r\n\r\nhalf", false)]
    [InlineData("Content-Length: 10\r\n\r\nhalf", true)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", true)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n8\r\nhalf", false)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense\r\n", false)]
    public async Task A_response_that_breaks_off_is_not_stored(string answer, bool isReset)
    {
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.SendAsync(Head + answer);
            if (isReset)
                connection.Reset();
        });
        await using var origin = await CachedOrigin.BeforeAsync(upstream.Url);

        for (var i = 1; i <= 3; i++)
        {
            var reply = await RawClient.SendAsync(origin.Proxy.Port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            Assert.False(reply.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal) && reply.EndsWith("0\r\n\r\n", StringComparison.Ordinal), reply); // it does not look whole
            Assert.Equal(i, upstream.Requests.Count);
        }
    }

    [Fact]
    public async Task A_response_that_ends_with_its_connection_is_stored_when_that_is_an_end()
    {
        await using var upstream = new RawUpstream(Head + "\r\nall of it");
        await using var origin = await CachedOrigin.BeforeAsync(upstream.Url);

        // Nobody can tell such an end from a break (RFC 9112 §8): it may be stored or not, and is whole in any case.
        Assert.Equal("all of it", await origin.TextAsync("/"));
        Assert.Equal("all of it", await origin.TextAsync("/"));
        Assert.InRange(upstream.Requests.Count, 1, 2);
    }

    [Fact]
    public async Task What_is_stored_survives_a_refresh_that_breaks_off()
    {
        var answers = new Queue<string>([
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=10\r\nETag: \"v1\"\r\nContent-Length: 3\r\n\r\nold",
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=10\r\nETag: \"v2\"\r\nContent-Length: 3\r\n\r\nne",
        ]);
        await using var upstream = new RawUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            if (answers.TryDequeue(out var answer))
                await connection.SendAsync(answer);
        });
        await using var origin = await CachedOrigin.BeforeAsync(upstream.Url);
        Assert.Equal("old", await origin.TextAsync("/"));
        origin.Time.Advance(TimeSpan.FromSeconds(20));

        // The break comes after the header section has gone to the client: nothing can be mended for this one.
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => origin.TextAsync("/"));

        // And now the origin is away: what is whole is stale, and better than nothing.
        Assert.Equal("old", await origin.TextAsync("/"));
    }
}
