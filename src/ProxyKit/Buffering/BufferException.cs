namespace ProxyKit.Buffering;

/// <summary>A body could not be kept: the budget is spent, or the disk is full or broken. Its message is for logs.</summary>
internal sealed class BufferException(string message, Exception? inner = null) : IOException(message, inner);
