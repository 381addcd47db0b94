using Microsoft.Extensions.Logging;

namespace ProxyKit.Buffering;

internal sealed partial class BufferingLog
{
    [LoggerMessage(125, LogLevel.Warning, "The temporary file of a buffered response could not be written; the upstream is read at the client's speed", EventName = "SpillFailed")]
    public partial void SpillFailed(Exception exception);
}
