namespace ProxyKit.Benchmarks.Load;

/// <summary>Something the person at the terminal can put right; shown without a stack trace.</summary>
internal sealed class LoadException(string message) : Exception(message);
