using System.Collections.Concurrent;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace ProxyKit.Zstd;

/// <summary>Zstandard, by the managed port of its reference implementation.</summary>
internal sealed class ZstdCoding : IContentCoding
{
    // 1 MB, held for each response that is under way.
    private const int WindowBits = 20;

    // RFC 9659: what Content-Encoding may ask of a client, and no upstream of us.
    private const int MaxWindowBits = 23;

    private readonly ConcurrentDictionary<int, ConcurrentBag<Compressor>> _idle = new();
    private int _idleCount;

    public string Name => ContentCodings.Zstd;

    public int MinLevel => -7;

    // Those above want larger windows than clients have to have.
    public int MaxLevel => 19;

    public int DefaultLevel => 3;

    public IContentEncoder CreateEncoder(int level)
    {
        if (Idle(level).TryTake(out var compressor))
        {
            Interlocked.Decrement(ref _idleCount);
        }
        else
        {
            compressor = new(level);
            compressor.SetParameter(ZSTD_cParameter.ZSTD_c_windowLog, WindowBits);
        }
        return new ZstdEncoder(this, compressor, level);
    }

    public Stream CreateDecoder(Stream source)
    {
        var stream = new DecompressionStream(source, leaveOpen: false);
        stream.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, MaxWindowBits);
        return stream;
    }

    /// <summary>Keeps a compressor: its tables take longer to make than a page to compress.</summary>
    public void Return(Compressor compressor, int level)
    {
        if (Interlocked.Increment(ref _idleCount) > 2 * Environment.ProcessorCount)
        {
            Interlocked.Decrement(ref _idleCount);
            compressor.Dispose();
            return;
        }
        compressor.ResetStream();
        Idle(level).Add(compressor);
    }

    private ConcurrentBag<Compressor> Idle(int level) => _idle.GetOrAdd(level, static _ => []);
}
