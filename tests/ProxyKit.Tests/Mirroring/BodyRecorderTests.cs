using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyKit.Mirroring;

namespace ProxyKit.Tests.Mirroring;

/// <summary>A body is recorded as it is consumed, and handed on once, when it is whole.</summary>
public class BodyRecorderTests
{
    private readonly Pipe _pipe = new();
    private readonly DefaultHttpContext _context = new();
    private readonly List<string> _recorded = [];

    [Fact]
    public async Task With_a_known_length_the_last_byte_is_the_end()
    {
        var recorder = Record(length: 5);

        await WriteAsync("hello");
        Consume(recorder, 5);

        Assert.Equal(["hello"], _recorded);
        await _pipe.Writer.CompleteAsync();
        Consume(recorder, 0);
        Assert.Equal(["hello"], _recorded);
    }

    [Fact]
    public async Task A_body_that_ends_before_its_length_is_not_whole()
    {
        var recorder = Record(length: 5);

        await WriteAsync("hell");
        await _pipe.Writer.CompleteAsync();
        Consume(recorder, 4);

        Assert.Empty(_recorded);
        Assert.False(recorder.IsWhole);
    }

    [Fact]
    public async Task What_is_looked_at_without_being_consumed_is_recorded_when_it_is()
    {
        var recorder = Record(length: null);

        await WriteAsync("hello");
        await _pipe.Writer.CompleteAsync();
        Assert.True(recorder.TryRead(out var result));
        recorder.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        Consume(recorder, 2);
        Consume(recorder, 3);

        Assert.Equal(["hello"], _recorded);
    }

    [Fact]
    public async Task A_read_that_has_to_wait_is_recorded_like_any_other()
    {
        var recorder = Record(length: null);

        var read = recorder.ReadAsync();
        Assert.False(read.IsCompleted);
        await WriteAsync("hello");
        recorder.AdvanceTo((await read).Buffer.End);
        await _pipe.Writer.CompleteAsync();
        recorder.AdvanceTo((await recorder.ReadAsync()).Buffer.End);

        Assert.Equal(["hello"], _recorded);
    }

    private BodyRecorder Record(long? length)
    {
        _context.Request.ContentLength = length;
        return new(_context.Request, new PipeFeature(_pipe.Reader), maxSize: 100, body => _recorded.Add(Encoding.UTF8.GetString(body.Span)));
    }

    private async Task WriteAsync(string text) => await _pipe.Writer.WriteAsync(Encoding.UTF8.GetBytes(text));

    private static void Consume(BodyRecorder recorder, int bytes)
    {
        Assert.True(recorder.TryRead(out var result));
        recorder.AdvanceTo(result.Buffer.GetPosition(bytes));
    }

    private sealed class PipeFeature(PipeReader reader) : IRequestBodyPipeFeature
    {
        public PipeReader Reader => reader;
    }
}
