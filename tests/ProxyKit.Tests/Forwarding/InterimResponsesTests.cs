using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using ProxyKit.Forwarding;

namespace ProxyKit.Tests.Forwarding;

public class InterimResponsesTests
{
    [Fact]
    public void After_the_close_nothing_is_written()
    {
        var client = new Client();
        var interim = InterimResponses.For(client.Context);

        Write(interim, "one");
        interim.Close(client.Context);
        Write(interim, "two");

        Assert.Equal("one", client.Written());
        Assert.Null(client.Starting);
    }

    [Fact]
    public void After_another_has_begun_to_answer_nothing_is_written()
    {
        var client = new Client();
        var interim = InterimResponses.For(client.Context);

        client.HasStarted = true;
        Write(interim, "one");
        interim.Close(client.Context);

        Assert.Equal("", client.Written());
    }

    [Fact]
    public void Another_request_that_closes_them_does_not_wait_for_the_client()
    {
        var client = new Client(pauseAt: 1);
        var interim = InterimResponses.For(client.Context);
        Write(interim, "one");

        interim.Close(new DefaultHttpContext());
        Write(interim, "two");

        Assert.Equal("one", client.Written());
        Assert.Null(client.Starting);
    }

    [Fact]
    public async Task The_final_response_waits_for_what_is_being_written_and_what_comes_meanwhile_is_left_out()
    {
        var client = new Client(pauseAt: 1);
        var interim = InterimResponses.For(client.Context);
        Write(interim, "one");
        Write(interim, "two");

        interim.Close(client.Context);
        var starting = client.Starting!();
        Assert.False(starting.IsCompleted);
        Assert.Equal("one", client.Written());
        await starting;

        Assert.False(client.IsAborted);
    }

    [Fact]
    public async Task A_request_that_ends_without_a_response_waits_as_well()
    {
        var client = new Client(pauseAt: 1);
        var interim = InterimResponses.For(client.Context);
        Write(interim, "one");

        interim.Close(client.Context);
        var ending = client.Completed!();
        Assert.False(ending.IsCompleted);
        Assert.Equal("one", client.Written());
        await ending;
    }

    [Fact]
    public async Task A_client_that_takes_nothing_loses_its_connection_as_with_a_final_response()
    {
        var client = new Client(pauseAt: 1) { MinDataRate = new(bytesPerSecond: 1_000_000_000, TimeSpan.FromSeconds(1.1)) };
        var interim = InterimResponses.For(client.Context);
        Write(interim, "one");

        interim.Close(client.Context);
        await client.Starting!();

        Assert.True(client.IsAborted);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_connection_that_has_ended_is_no_error(bool byItself)
    {
        var client = new Client();
        var interim = InterimResponses.For(client.Context);
        if (byItself)
            await client.Pipe.Reader.CompleteAsync(new TimeoutException());
        else
            await client.Pipe.Writer.CompleteAsync();

        Write(interim, "one");
        interim.Close(client.Context);

        Assert.Null(client.Starting);
    }

    [Fact]
    public void All_that_have_come_are_limited_together_whatever_is_made_of_them()
    {
        var interim = InterimResponses.For(new Client().Context);

        Assert.True(interim.TryBegin(10 * 1024));
        Assert.False(interim.TryBegin(7 * 1024));
        Assert.False(interim.TryBegin(1));
    }

    public static TheoryData<string, Action<HttpContext>> WhereNoneCanBeSent => new()
    {
        { "HTTP/1.0", c => c.Request.Protocol = "HTTP/1.0" },
        { "HTTP/2", c => c.Request.Protocol = "HTTP/2" },
        { "a stream that can be reset", c => c.Features.Set<IHttpResetFeature>(new Reset()) },
        { "Expect", c => c.Request.Headers.Expect = "100-continue" },
        { "no connection", c => c.Features.Set<IConnectionTransportFeature>(null) },
        { "another response over the server's", c => c.Features.Set<IHttpResponseFeature>(new HttpResponseFeature()) },
        { "another server", c => c.Features.Set<IHttpMinResponseDataRateFeature>(null) },
    };

    [Theory, MemberData(nameof(WhereNoneCanBeSent))]
    public void There_are_none_where_none_can_be_sent(string row, Action<HttpContext> change)
    {
        var client = new Client();
        change(client.Context);

        Assert.True(InterimResponses.For(client.Context) == InterimResponses.None, row);
    }

    private static void Write(InterimResponses interim, string head)
    {
        if (interim.TryBegin(head.Length))
            interim.Write(head);
    }

    private sealed class Client : HttpResponseFeature, IHttpResponseFeature, IHttpMinResponseDataRateFeature, IConnectionTransportFeature, IHttpRequestLifetimeFeature, IDuplexPipe
    {
        public Client(int pauseAt = 0)
        {
            Pipe = new(new PipeOptions(pauseWriterThreshold: pauseAt, resumeWriterThreshold: pauseAt, useSynchronizationContext: false));
            Context = new DefaultHttpContext { Request = { Protocol = "HTTP/1.1" } };
            Context.Features.Set<IHttpResponseFeature>(this);
            Context.Features.Set<IHttpMinResponseDataRateFeature>(this);
            Context.Features.Set<IConnectionTransportFeature>(this);
            Context.Features.Set<IHttpRequestLifetimeFeature>(this);
        }

        public DefaultHttpContext Context { get; }

        public Pipe Pipe { get; }

        public bool IsAborted { get; private set; }

        public MinDataRate? MinDataRate { get; set; }

        public new bool HasStarted { get; set; }

        /// <summary>What the server would run before the final response.</summary>
        public Func<Task>? Starting { get; private set; }

        /// <summary>What it would run after the request.</summary>
        public Func<Task>? Completed { get; private set; }

        public IDuplexPipe Transport { get => this; set => throw new NotSupportedException(); }

        public PipeReader Input => throw new NotSupportedException();

        public PipeWriter Output => Pipe.Writer;

        public CancellationToken RequestAborted { get; set; }

        public override void OnStarting(Func<object, Task> callback, object state) => Starting = () => callback(state);

        public override void OnCompleted(Func<object, Task> callback, object state) => Completed = () => callback(state);

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
}
