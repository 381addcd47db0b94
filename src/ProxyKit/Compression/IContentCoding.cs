using System.Buffers;

namespace ProxyKit;

/// <summary>
/// A content coding that responses can be compressed with (RFC 9110 §8.4.1). ProxyKit brings <c>br</c> and <c>gzip</c>, and the package <c>ProxyKit.Zstd</c> brings <c>zstd</c>; add another with
/// <see cref="ReverseProxyBuilder.AddContentCoding{TCoding}"/>.
/// </summary>
public interface IContentCoding
{
    /// <summary>What it is called in <c>Accept-Encoding</c> and <c>Content-Encoding</c>, in lower case. Entity tags of compressed responses end with it.</summary>
    string Name { get; }

    /// <summary>The lowest level: the fastest.</summary>
    int MinLevel { get; }

    /// <summary>The highest level: the smallest.</summary>
    int MaxLevel { get; }

    /// <summary>The level where a route does not say another.</summary>
    int DefaultLevel { get; }

    /// <summary>Begins to compress one body. Called for many requests at once.</summary>
    IContentEncoder CreateEncoder(int level);

    /// <summary>A stream from which the content of the compressed <paramref name="source"/> is read, as it comes. It is read asynchronously, and disposed with its source.</summary>
    /// <remarks>Of what is no valid content of this coding, or ends too early, the stream throws.</remarks>
    Stream CreateDecoder(Stream source);
}

/// <summary>Compresses one body. Used by one request at a time, and disposed in the end, be the body whole or not.</summary>
public interface IContentEncoder : IDisposable
{
    /// <summary>Takes more of the body, and writes what is ready of it.</summary>
    void Write(ReadOnlySpan<byte> content, IBufferWriter<byte> output);

    /// <summary>Writes what has been taken, so that a client can read it all.</summary>
    void Flush(IBufferWriter<byte> output);

    /// <summary>Writes the rest, and the end. Nothing is called afterwards.</summary>
    void Finish(IBufferWriter<byte> output);
}
