using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ProxyKit.Mirroring;

/// <summary>
/// The client's body pipe, which keeps what is read from it. It reads nothing by itself, so a body arrives at the pace of who forwards it, and who stops reading is
/// not made to go on.
/// </summary>
internal sealed class BodyRecorder : PipeReader, IRequestBodyPipeFeature
{
    private readonly HttpRequest _request;
    private readonly Stream _body;
    private readonly IRequestBodyPipeFeature _original;
    private readonly PipeReader _inner;
    private readonly long? _length;
    private readonly long _maxSize;
    private readonly Action<ReadOnlyMemory<byte>> _whole;
    private ArrayBufferWriter<byte>? _recorded = new();
    private ReadResult _last;

    public BodyRecorder(HttpRequest request, IRequestBodyPipeFeature original, long maxSize, Action<ReadOnlyMemory<byte>> whole)
    {
        _request = request;
        _body = request.Body;
        _original = original;
        _inner = original.Reader;
        _length = request.ContentLength;
        _maxSize = maxSize;
        _whole = whole;
    }

    // A request delegate may put another body in the place of this one.
    public PipeReader Reader => ReferenceEquals(_request.Body, _body) ? this : _original.Reader;

    /// <summary>Whether the end was reached, and the body handed on.</summary>
    public bool IsWhole { get; private set; }

    public bool IsTooLarge { get; private set; }

    public override bool TryRead(out ReadResult result)
    {
        var read = _inner.TryRead(out result);
        if (read)
            _last = result;
        return read;
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        var read = _inner.ReadAsync(cancellationToken);
        return read.IsCompletedSuccessfully ? new(_last = read.Result) : AwaitAsync(read);

        async ValueTask<ReadResult> AwaitAsync(ValueTask<ReadResult> read) => _last = await read;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        var isEnd = Record(consumed);
        _last = default;
        _inner.AdvanceTo(consumed, examined);
        if (!isEnd)
            return;
        IsWhole = true;
        var body = _recorded!.WrittenMemory;
        _recorded = null;
        _whole(body);
    }

    public override void CancelPendingRead() => _inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => _inner.Complete(exception);

    private bool Record(SequencePosition consumed)
    {
        if (_recorded is null)
            return false;
        var taken = _last.Buffer.Slice(_last.Buffer.Start, consumed);
        if (_recorded.WrittenCount + taken.Length > _maxSize)
        {
            IsTooLarge = true;
            _recorded = null;
            return false;
        }
        foreach (var segment in taken)
            _recorded.Write(segment.Span);
        // Who knows the length does not always read on to the end.
        return _length is { } length ? _recorded.WrittenCount == length : _last.IsCompleted && taken.Length == _last.Buffer.Length;
    }
}
