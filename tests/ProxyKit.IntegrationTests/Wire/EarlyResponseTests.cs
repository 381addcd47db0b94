using System.Net.Sockets;

namespace ProxyKit.IntegrationTests.Wire;

/// <summary>
/// Responses that come before the end of the request (acceptance/forwarding.md, 4.2). Only ProxyKit's own transport can: SocketsHttpHandler reads no response
/// before it has sent the whole request.
/// </summary>
public class EarlyResponseTests : WireTests
{
    [Theory]
    [InlineData("the upstream closes", true)]
    [InlineData("the upstream drains", false)]
    public async Task A_final_status_before_the_end_of_the_upload_reaches_the_client(string row, bool close)
    {
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
            if (!close)
                await connection.ClosedAsync();
        }));
        using var client = await wire.ConnectAsync();

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        using var done = new CancellationTokenSource();
        var uploading = UploadAsync(client, done.Token);
        var response = await client.ReadUntilAsync("no");
        await done.CancelAsync();

        Assert.True(Raw.Status(response) == 413, $"{row}: {response}");
        await uploading;

        static async Task UploadAsync(RawClient client, CancellationToken done)
        {
            var piece = System.Text.Encoding.Latin1.GetBytes($"1000\r\n{new string('a', 4096)}\r\n");
            try
            {
                while (!done.IsCancellationRequested)
                    await client.Socket.SendAsync(piece, done);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
            }
        }
    }

    [Fact]
    public async Task Request_and_response_stream_at_the_same_time()
    {
        await using var wire = await StartAsync(new RawUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            foreach (var (question, answer) in new[] { ("one", "eins"), ("two", "zwei") })
            {
                await connection.ReadUntilAsync(question);
                await connection.SendAsync($"4\r\n{answer}\r\n");
            }
            await connection.ReadUntilAsync("0\r\n\r\n");
            await connection.SendAsync("0\r\n\r\n");
        }));
        using var client = await wire.ConnectAsync();

        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
        await client.ReadUntilAsync("\r\n\r\n");
        await client.SendAsync("3\r\none\r\n");
        await client.ReadUntilAsync("eins");
        await client.SendAsync("3\r\ntwo\r\n");
        await client.ReadUntilAsync("zwei");
        await client.SendAsync("0\r\n\r\n");

        Assert.EndsWith("0\r\n\r\n", await client.ReadToEndAsync());
    }
}
