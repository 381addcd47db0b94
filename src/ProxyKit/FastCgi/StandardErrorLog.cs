using System.Buffers;
using System.Text;
using Microsoft.Extensions.Logging;
using ProxyKit.Diagnostics;

namespace ProxyKit.FastCgi;

/// <summary>What a script writes to its standard error, logged line by line. So much of a request is logged; the rest is dropped.</summary>
internal sealed partial class StandardErrorLog(ILogger logger, LogLevel level, string destination, string path)
{
    public const int MaxLength = 64 * 1024;
    public const int MaxLine = 4 * 1024;

    /// <summary>Stands between messages that php-fpm has put into one line.</summary>
    private const string PhpSeparator = "; PHP message: ";

    /// <summary>So much of a path stands in each line; its length is the client's choice, and the number of lines the script's.</summary>
    private const int MaxPath = 256;

    private readonly string _path = path.Length > MaxPath ? path[..MaxPath] + "…" : path;

    // Grows to MaxLength at most: php-fpm puts all messages of a request into one line, and each of them counts.
    private readonly ArrayBufferWriter<byte>? _line = level != LogLevel.None && logger.IsEnabled(level) ? new(512) : null;
    private long _kept, _dropped;
    private bool _ended;

    public void Write(ReadOnlySpan<byte> text)
    {
        if (_line is null || _ended)
            return;
        var kept = (int)Math.Min(text.Length, MaxLength - _kept);
        _kept += kept;
        _dropped += text.Length - kept;
        text = text[..kept];
        while (!text.IsEmpty)
        {
            var end = text.IndexOf((byte)'\n');
            _line.Write(end < 0 ? text : text[..end]);
            if (end < 0)
                return;
            EndLine();
            text = text[(end + 1)..];
        }
    }

    /// <summary>Logs what is left. It may come from the end of the answer and from somebody who disposes of it.</summary>
    public void End()
    {
        if (_line is null || Interlocked.Exchange(ref _ended, true))
            return;
        EndLine();
        if (_dropped > 0)
            Truncated(logger, level, destination, _path, _dropped);
    }

    private void EndLine()
    {
        var text = Encoding.UTF8.GetString(_line!.WrittenSpan).Trim();
        _line.ResetWrittenCount();
        while (text.Length > 0)
        {
            var next = text.IndexOf(PhpSeparator, StringComparison.Ordinal);
            var line = next < 0 ? text : text[..next];
            line = LogText.Printable(line.Length > MaxLine ? line[..MaxLine] + "…" : line);
            Line(logger, level, destination, _path, line);
            text = next < 0 ? "" : text[(next + 2)..];
        }
    }

    [LoggerMessage(EventId = 130, Message = "FastCGI {Destination}, {Path}: {Line}", EventName = "FastCgiStandardError")]
    private static partial void Line(ILogger logger, LogLevel level, string destination, string path, string line);

    [LoggerMessage(EventId = 131, Message = "FastCGI {Destination}, {Path}: {Bytes} further bytes of its standard error were dropped", EventName = "FastCgiStandardErrorTruncated")]
    private static partial void Truncated(ILogger logger, LogLevel level, string destination, string path, long bytes);
}
