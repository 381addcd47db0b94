using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Forwarding;

namespace ProxyKit.Tests.Forwarding;

public class InterimResponsesTests
{
    [Fact]
    public async Task After_the_close_nothing_is_written()
    {
        var client = new Client();
        var interim = InterimResponses.For(client.Context);

        interim.Write("one");
        await interim.CloseAsync(client.Context);
        interim.Write("two");

        Assert.Equal("one", client.Written());
    }

    [Fact]
    public async Task Another_request_that_closes_them_does_not_wait_for_the_client()
    {
        var client = new Client(pauseAt: 1);
        var interim = InterimResponses.For(client.Context);
        interim.Write("one");

        await interim.CloseAsync(new DefaultHttpContext());
        interim.Write("two");

        Assert.Equal("one", client.Written());
    }

    [Fact]
    public async Task The_final_response_waits_for_what_is_being_written_and_what_comes_meanwhile_is_left_out()
    {
        var client = new Client(pauseAt: 1);
        var interim = InterimResponses.For(client.Context);
        interim.Write("one");
        interim.Write("two");

        var closing = interim.CloseAsync(client.Context);
        Assert.False(closing.IsCompleted);
        Assert.Equal("one", client.Written());
        await closing;

        Assert.False(client.IsAborted);
    }

    [Fact]
    public async Task A_client_that_takes_nothing_loses_its_connection()
    {
        var client = new Client(pauseAt: 1);
        var interim = InterimResponses.For(client.Context);
        interim.Write("one");

        await interim.CloseAsync(client.Context);

        Assert.True(client.IsAborted);
    }

    [Fact]
    public async Task A_connection_that_has_ended_is_no_error()
    {
        var client = new Client();
        var interim = InterimResponses.For(client.Context);
        await client.Pipe.Writer.CompleteAsync();

        interim.Write("one");
        await interim.CloseAsync(client.Context);
    }

    [Fact]
    public void Nothing_that_together_is_too_long_is_written()
    {
        var client = new Client();
        var interim = InterimResponses.For(client.Context);

        interim.Write(new string('a', 16 * 1024));
        interim.Write("b");

        Assert.Equal(16 * 1024, client.Written().Length);
    }

    public static TheoryData<string, Action<HttpContext>> WhereNoneCanBeSent => new()
    {
        { "HTTP/1.0", c => c.Request.Protocol = "HTTP/1.0" },
        { "HTTP/2", c => c.Request.Protocol = "HTTP/2" },
        { "a stream that can be reset", c => c.Features.Set<IHttpResetFeature>(new Reset()) },
        { "Expect", c => c.Request.Headers.Expect = "100-continue" },
        { "no connection", c => c.Features.Set<IConnectionTransportFeature>(null) },
        { "the response has started", c => c.Features.Set<IHttpResponseFeature>(new Started()) },
    };

    [Theory, MemberData(nameof(WhereNoneCanBeSent))]
    public void There_are_none_where_none_can_be_sent(string row, Action<HttpContext> change)
    {
        var client = new Client();
        change(client.Context);

        Assert.True(InterimResponses.For(client.Context) == InterimResponses.None, row);
    }

    private sealed class Client : IConnectionTransportFeature, IHttpRequestLifetimeFeature, IDuplexPipe
    {
        public Client(int pauseAt = 0)
        {
            Pipe = new(new PipeOptions(pauseWriterThreshold: pauseAt, resumeWriterThreshold: pauseAt, useSynchronizationContext: false));
            Context = new DefaultHttpContext { Request = { Protocol = "HTTP/1.1" } };
            Context.Features.Set<IConnectionTransportFeature>(this);
            Context.Features.Set<IHttpRequestLifetimeFeature>(this);
        }

        public DefaultHttpContext Context { get; }

        public Pipe Pipe { get; }

        public bool IsAborted { get; private set; }

        public IDuplexPipe Transport { get => this; set => throw new NotSupportedException(); }

        public PipeReader Input => throw new NotSupportedException();

        public PipeWriter Output => Pipe.Writer;

        public CancellationToken RequestAborted { get; set; }

        public void Abort() => IsAborted = true;

        public string Written()
        {
            if (!Pipe.Reader.TryRead(out var read))
                return "";
            var text = Encoding.Latin1.GetString(read.Buffer);
            Pipe.Reader.AdvanceTo(read.Buffer.End);
            return text;
        }
    }

    private sealed class Reset : IHttpResetFeature
    {
        void IHttpResetFeature.Reset(int errorCode)
        {
        }
    }

    private sealed class Started : HttpResponseFeature
    {
        public override bool HasStarted => true;
    }
}
