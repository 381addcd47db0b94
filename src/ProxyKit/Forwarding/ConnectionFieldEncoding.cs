using System.Text;
using Microsoft.Extensions.Primitives;

namespace ProxyKit.Forwarding;

/// <summary>
/// Latin-1 for the <c>Connection</c> field, such that Kestrel keeps it. Kestrel replaces a field that it understands as just <c>close</c>, <c>keep-alive</c> or
/// <c>upgrade</c> by that word (HttpHeaders.ParseConnection), and so forgets which other fields it nominates, which must be dropped (RFC 9110 §7.6.1).
/// </summary>
/// <remarks>
/// It leaves a field alone in which it sees two of the words. So those are added, only where there is a nomination that matters; <c>close</c> wins over
/// <c>keep-alive</c>, so such a connection ends with its response, which a server may do at any time.
/// </remarks>
internal sealed class ConnectionFieldEncoding : Encoding
{
    public static readonly ConnectionFieldEncoding Instance = new();

    private const string Close = ", close, keep-alive", Upgrade = ", keep-alive";

    public override int GetCharCount(byte[] bytes, int index, int count) => count + Addition(Latin1.GetString(bytes, index, count)).Length;

    public override int GetChars(byte[] bytes, int byteIndex, int byteCount, char[] chars, int charIndex)
    {
        var addition = Addition(Latin1.GetString(bytes, byteIndex, byteCount));
        Latin1.GetChars(bytes, byteIndex, byteCount, chars, charIndex);
        addition.CopyTo(0, chars, charIndex + byteCount, addition.Length);
        return byteCount + addition.Length;
    }

    public override int GetByteCount(char[] chars, int index, int count) => Latin1.GetByteCount(chars, index, count);

    public override int GetBytes(char[] chars, int charIndex, int charCount, byte[] bytes, int byteIndex) =>
        Latin1.GetBytes(chars, charIndex, charCount, bytes, byteIndex);

    public override int GetMaxByteCount(int charCount) => Latin1.GetMaxByteCount(charCount);

    public override int GetMaxCharCount(int byteCount) => byteCount + Close.Length;

    private static string Addition(string field)
    {
        if (HeaderRules.Nominated(new StringValues(field)) is not { } nominated || !Array.Exists(nominated, static name => HeaderRules.ForRequest(name) == HeaderRule.Forward))
            return "";
        return HeaderRules.IsNominated(nominated, "Upgrade") ? Upgrade : Close;
    }
}
