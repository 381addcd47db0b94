using System.Buffers.Binary;

namespace ProxyKit.FastCgi;

/// <summary>What FastCGI 1.0 is made of (§3.3, §8): a header of eight bytes, up to 65,535 bytes of content, up to 255 of padding.</summary>
internal static class FastCgiRecord
{
    public const int HeaderLength = 8;
    public const int MaxContent = 65_535;

    public const byte BeginRequest = 1, EndRequest = 3, Params = 4, StandardInput = 5, StandardOutput = 6, StandardError = 7;

    /// <summary>There is one request on a connection at a time: php-fpm does not multiplex.</summary>
    public const ushort RequestId = 1;

    public const byte Version = 1, Responder = 1, KeepConnection = 1;

    public static void WriteHeader(Span<byte> target, byte type, int length)
    {
        target[0] = Version;
        target[1] = type;
        BinaryPrimitives.WriteUInt16BigEndian(target[2..], RequestId);
        BinaryPrimitives.WriteUInt16BigEndian(target[4..], (ushort)length);
        target[6] = target[7] = 0;
    }
}

/// <summary>How the application says that a request has ended (FastCGI 1.0 §5.5).</summary>
internal enum FastCgiStatus : byte
{
    RequestComplete,
    CannotMultiplex,
    Overloaded,
    UnknownRole,
}
