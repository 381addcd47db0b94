using Microsoft.AspNetCore.Http;
using ProxyKit.IntegrationTests.Protocols;

namespace ProxyKit.IntegrationTests.Caching;

/// <summary>What the whole process takes of memory is measured: no other test may run.</summary>
[Collection("alone")]
public class LargeResponseTests
{
    private const int Megabyte = 1024 * 1024;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Four_gigabytes_that_are_too_long_to_be_stored_take_constant_memory(bool isLengthKnown)
    {
        const long length = 4096L * Megabyte; // more than an int can count
        var block = Peers.Bytes(128 * 1024, 4);
        await using var origin = await CachedOrigin.StartAsync(
            async context =>
            {
                context.Response.Headers.CacheControl = "max-age=60";
                if (isLengthKnown)
                    context.Response.ContentLength = length;
                for (var sent = 0L; sent < length; sent += block.Length)
                    await context.Response.Body.WriteAsync(block);
            },
            c => c.MaxEntrySize = 8 * Megabyte);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var most = 0L;

        await using var body = await origin.OpenAsync("/");
        var buffer = new byte[block.Length];
        for (var read = 0L; read < length; read += buffer.Length)
        {
            await body.ReadExactlyAsync(buffer);
            if (!buffer.AsSpan().SequenceEqual(block))
                Assert.Fail($"Other bytes than were sent, at {read}.");
            if (read % (256 * Megabyte) == 0)
                most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true));
        }

        Assert.Equal(0, await body.ReadAsync(buffer));
        Assert.True(most - before < 64 * Megabyte, $"{(most - before) / Megabyte} MB");
        Assert.Equal(1, origin.Requests);
    }
}
