using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text;

namespace ProxyKit.Tests.FastCgi;

/// <summary>A request as an application reads it, with a parser of its own: strict, and with php-fpm's rule that no pair is split between records.</summary>
internal sealed class SentRequest
{
    private readonly List<KeyValuePair<string, string>> _parameters = [];
    private readonly MemoryStream _input = new();

    public bool KeepConnection { get; private set; }

    public IReadOnlyList<KeyValuePair<string, string>> Parameters => _parameters;

    public byte[] Input => _input.ToArray();

    /// <summary>Type and length of each record.</summary>
    public List<(byte Type, int Length)> Records { get; } = [];

    public string? this[string name] => _parameters.Where(p => p.Key == name).Select(p => p.Value).SingleOrDefault();

    /// <summary>Null if the connection is closed before a request begins.</summary>
    public static async Task<SentRequest?> ReadAsync(PipeReader reader, bool throughInput = true, SentRequest? begun = null)
    {
        var request = begun ?? new SentRequest();
        while (true)
        {
            if (await ReadExactlyAsync(reader, 8) is not { } header)
                return request.Records.Count == 0 ? null : throw new EndOfStreamException("The connection was closed in the middle of a request.");
            Assert.Equal(1, header[0]);
            Assert.Equal(1, BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(2)));
            int length = BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(4));
            var content = await ReadExactlyAsync(reader, length) ?? throw new EndOfStreamException("The connection was closed in the middle of a record.");
            _ = await ReadExactlyAsync(reader, header[6]);
            request.Records.Add((header[1], length));
            switch (header[1])
            {
                case 1:
                    Assert.Single(request.Records);
                    Assert.Equal(1, BinaryPrimitives.ReadUInt16BigEndian(content)); // responder
                    request.KeepConnection = (content[2] & 1) != 0;
                    break;
                case 4:
                    if (length == 0 && !throughInput)
                        return request;
                    request.AddPairs(content);
                    break;
                case 5:
                    request._input.Write(content);
                    if (length == 0)
                        return request;
                    break;
                default:
                    Assert.Fail($"A record of type {header[1]}.");
                    break;
            }
        }
    }

    private void AddPairs(byte[] content)
    {
        var position = 0;
        while (position < content.Length)
        {
            int name = Length(), value = Length();
            _parameters.Add(new(Encoding.UTF8.GetString(content, position, name), Encoding.Latin1.GetString(content, position + name, value)));
            position += name + value;
        }
        Assert.Equal(content.Length, position);

        int Length()
        {
            if (content[position] < 128)
                return content[position++];
            position += 4;
            return (int)(BinaryPrimitives.ReadUInt32BigEndian(content.AsSpan(position - 4)) & 0x7fff_ffff);
        }
    }

    private static async Task<byte[]?> ReadExactlyAsync(PipeReader reader, int length)
    {
        if (length == 0)
            return [];
        var result = await reader.ReadAtLeastAsync(length);
        if (result.Buffer.Length < length)
            return null;
        var bytes = result.Buffer.Slice(0, length).ToArray();
        reader.AdvanceTo(result.Buffer.GetPosition(length));
        return bytes;
    }
}
