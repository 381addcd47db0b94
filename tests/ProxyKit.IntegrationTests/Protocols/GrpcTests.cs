using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace ProxyKit.IntegrationTests.Protocols;

public class GrpcTests
{
    public static TheoryData<Wire, Wire, bool> Wires => new()
    {
        // client, upstream, whether the version is configured
        { Wire.H2C, Wire.H2C, false },
        { Wire.H2C, Wire.H2C, true },
        { Wire.H2Tls, Wire.H2Tls, false },
        { Wire.H2Tls, Wire.H2C, false },
        { Wire.H2C, Wire.H2Tls, true },
    };

    [Theory, MemberData(nameof(Wires))]
    public async Task A_unary_call_returns_its_message_and_its_trailers(Wire client, Wire upstream, bool configured)
    {
        await using var rig = await Rig.StartAsync(client, upstream, configured);

        using var call = rig.Invoker.AsyncUnaryCall(GrpcEcho.UnaryCall, null, rig.Options, "hello");

        Assert.Equal("hello", await call);
        Assert.Equal("after", call.GetTrailers().GetValue("x-trailer"));
    }

    [Theory, MemberData(nameof(Wires))]
    public async Task A_server_stream_returns_all_its_messages_and_its_trailers(Wire client, Wire upstream, bool configured)
    {
        await using var rig = await Rig.StartAsync(client, upstream, configured);

        using var call = rig.Invoker.AsyncServerStreamingCall(GrpcEcho.DownCall, null, rig.Options, "500");
        var messages = await call.ResponseStream.ReadAllAsync().ToListAsync();

        Assert.Equal(Enumerable.Range(0, 500).Select(i => $"{i}"), messages);
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
        Assert.Equal("after", call.GetTrailers().GetValue("x-trailer"));
    }

    [Theory, MemberData(nameof(Wires))]
    public async Task A_client_stream_is_read_to_its_end(Wire client, Wire upstream, bool configured)
    {
        await using var rig = await Rig.StartAsync(client, upstream, configured);

        using var call = rig.Invoker.AsyncClientStreamingCall(GrpcEcho.UpCall, null, rig.Options);
        for (var i = 0; i < 100; i++)
            await call.RequestStream.WriteAsync("0123456789");
        await call.RequestStream.CompleteAsync();

        Assert.Equal("1000", await call);
    }

    [Fact]
    public async Task A_server_that_answers_before_the_client_stream_has_ended_is_heard()
    {
        await using var rig = await Rig.StartAsync(Wire.H2C, Wire.H2C, configured: false);

        using var call = rig.Invoker.AsyncClientStreamingCall(GrpcEcho.UpCall, null, rig.Options);
        await call.RequestStream.WriteAsync("enough");

        Assert.Equal("enough", await call);
    }

    [Theory, MemberData(nameof(Wires))]
    public async Task Messages_of_a_bidirectional_stream_take_turns(Wire client, Wire upstream, bool configured)
    {
        await using var rig = await Rig.StartAsync(client, upstream, configured);

        using var call = rig.Invoker.AsyncDuplexStreamingCall(GrpcEcho.BothCall, null, rig.Options);
        for (var i = 0; i < 20; i++)
        {
            await call.RequestStream.WriteAsync($"{i}");
            Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
            Assert.Equal($"re: {i}", call.ResponseStream.Current);
        }
        await call.RequestStream.CompleteAsync();

        Assert.False(await call.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal("after", call.GetTrailers().GetValue("x-trailer"));
    }

    [Theory, MemberData(nameof(Wires))]
    public async Task A_failure_without_a_message_comes_with_status_text_and_binary_details(Wire client, Wire upstream, bool configured)
    {
        await using var rig = await Rig.StartAsync(client, upstream, configured);

        var error = await Assert.ThrowsAsync<RpcException>(() => rig.Invoker.AsyncUnaryCall(GrpcEcho.UnaryCall, null, rig.Options, "fail").ResponseAsync);

        Assert.Equal(StatusCode.FailedPrecondition, error.StatusCode);
        Assert.Equal("not like this: é", error.Status.Detail);
        Assert.Equal([1, 2, 255], error.Trailers.GetValueBytes("grpc-status-details-bin"));
        Assert.Equal("because", error.Trailers.GetValue("x-why"));
    }

    [Fact]
    public async Task A_failure_after_the_headers_comes_in_the_trailers()
    {
        await using var rig = await Rig.StartAsync(Wire.H2C, Wire.H2C, configured: false);

        using var call = rig.Invoker.AsyncUnaryCall(GrpcEcho.UnaryCall, null, rig.Options, "late-fail");
        Assert.Equal("yes", (await call.ResponseHeadersAsync).GetValue("x-early"));
        var error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);

        Assert.Equal((StatusCode.DataLoss, "afterwards"), (error.StatusCode, error.Status.Detail));
    }

    [Fact]
    public async Task A_method_that_the_server_does_not_have_is_unimplemented()
    {
        await using var rig = await Rig.StartAsync(Wire.H2C, Wire.H2C, configured: false);
        var unknown = new Method<string, string>(MethodType.Unary, "test.Echo", "Nothing", GrpcEcho.UnaryCall.RequestMarshaller, GrpcEcho.UnaryCall.ResponseMarshaller);

        var error = await Assert.ThrowsAsync<RpcException>(() => rig.Invoker.AsyncUnaryCall(unknown, null, rig.Options, "").ResponseAsync);

        Assert.Equal(StatusCode.Unimplemented, error.StatusCode);
    }

    [Fact]
    public async Task A_deadline_reaches_the_server()
    {
        await using var rig = await Rig.StartAsync(Wire.H2C, Wire.H2C, configured: false);

        Assert.Equal("some", await rig.Invoker.AsyncUnaryCall(GrpcEcho.UnaryCall, null, rig.Options, "deadline"));
        Assert.Equal("none", await rig.Invoker.AsyncUnaryCall(GrpcEcho.UnaryCall, null, default, "deadline"));
    }

    [Fact]
    public async Task A_deadline_that_passes_is_deadline_exceeded_for_the_client_and_ends_the_call_at_the_server()
    {
        await using var rig = await Rig.StartAsync(Wire.H2C, Wire.H2C, configured: false);

        var error = await Assert.ThrowsAsync<RpcException>(
            () => rig.Invoker.AsyncUnaryCall(GrpcEcho.UnaryCall, null, new(deadline: DateTime.UtcNow.AddMilliseconds(200)), "wait").ResponseAsync);

        Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
        await rig.Service.Cancelled.Task.WaitAsync(Peers.Patience);
    }

    [Theory, MemberData(nameof(Wires))]
    public async Task A_cancelled_call_is_cancelled_at_the_server(Wire client, Wire upstream, bool configured)
    {
        await using var rig = await Rig.StartAsync(client, upstream, configured);

        using var call = rig.Invoker.AsyncDuplexStreamingCall(GrpcEcho.BothCall, null, rig.Options);
        await call.RequestStream.WriteAsync("a");
        await call.ResponseStream.MoveNext(CancellationToken.None);
        call.Dispose();

        await rig.Service.Cancelled.Task.WaitAsync(Peers.Patience);
        Assert.Equal("ClientAborted", (await rig.Proxy.LoggedAsync("ClientAborted")).Id.Name);
    }

    [Theory, MemberData(nameof(Wires))]
    public async Task A_message_of_four_million_characters_goes_there_and_back(Wire client, Wire upstream, bool configured)
    {
        await using var rig = await Rig.StartAsync(client, upstream, configured);
        var large = new string('x', 4_000_000);

        Assert.Equal(large, await rig.Invoker.AsyncUnaryCall(GrpcEcho.UnaryCall, null, rig.Options, large));
    }

    [Fact]
    public async Task A_client_stream_may_be_larger_than_the_servers_limit_for_bodies()
    {
        await using var rig = await Rig.StartAsync(Wire.H2C, Wire.H2C, configured: false, bodyLimit: 1000);

        using var call = rig.Invoker.AsyncClientStreamingCall(GrpcEcho.UpCall, null, rig.Options);
        for (var i = 0; i < 100; i++)
            await call.RequestStream.WriteAsync(new string('x', 100));
        await call.RequestStream.CompleteAsync();

        Assert.Equal("10000", await call);
    }

    [Fact]
    public async Task An_upstream_that_is_gone_is_unavailable()
    {
        await using var rig = await Rig.StartAsync(Wire.H2C, Wire.H2C, configured: false);
        await rig.Upstream.DisposeAsync();

        var error = await Assert.ThrowsAsync<RpcException>(() => rig.Invoker.AsyncUnaryCall(GrpcEcho.UnaryCall, null, rig.Options, "hello").ResponseAsync);

        Assert.Equal(StatusCode.Unavailable, error.StatusCode); // what gRPC makes of 502
    }

    private sealed class Rig : IAsyncDisposable
    {
        private GrpcChannel _channel = null!;

        public GrpcEcho Service { get; } = new();

        public KestrelApp Upstream { get; private set; } = null!;

        public KestrelApp Proxy { get; private set; } = null!;

        public CallInvoker Invoker { get; private set; } = null!;

        public CallOptions Options => new(deadline: DateTime.UtcNow + Peers.Patience);

        public static async Task<Rig> StartAsync(Wire client, Wire upstream, bool configured, long? bodyLimit = null)
        {
            var rig = new Rig();
            rig.Upstream = await Peers.StartAsync(
                upstream,
                app => app.MapGrpcService<GrpcEcho>(),
                services =>
                {
                    services.AddGrpc(o => o.MaxReceiveMessageSize = null);
                    services.AddSingleton(rig.Service);
                });
            rig.Proxy = await Peers.StartProxyAsync(
                client,
                rig.Upstream.Url,
                route =>
                {
                    if (configured)
                        route.WithUpstream(upstream);
                },
                kestrel => kestrel.Limits.MaxRequestBodySize = bodyLimit ?? kestrel.Limits.MaxRequestBodySize);
            rig._channel = GrpcChannel.ForAddress(rig.Proxy.Address, new() { HttpHandler = Peers.CreateHandler(), MaxReceiveMessageSize = null, DisposeHttpClient = true });
            rig.Invoker = rig._channel.CreateCallInvoker();
            return rig;
        }

        public async ValueTask DisposeAsync()
        {
            _channel.Dispose();
            await Proxy.DisposeAsync();
            await Upstream.DisposeAsync();
        }
    }
}
