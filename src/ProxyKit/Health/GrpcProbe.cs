using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using ProxyKit.Forwarding;
using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>The gRPC health checking protocol. Its two messages have a field each, so no protobuf library is needed.</summary>
internal sealed class GrpcProbe(ActiveHealthCheckConfig config) : Probe
{
    private const int MaxResponse = 4096, PrefixLength = 5;

    private static readonly string[] s_statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

    private readonly byte[] _message = CreateMessage(config.GrpcService ?? "");

    public override async Task<ProbeResult> RunAsync(Cluster cluster, Destination destination, DestinationAddress target, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(target.Prefix + "/grpc.health.v1.Health/Check"))
        {
            // gRPC is HTTP/2 or better; in clear text there is no ALPN, so it is spoken without asking.
            Version = HttpVersion.Version20,
            VersionPolicy = target.IsHttps ? HttpVersionPolicy.RequestVersionOrHigher : HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(_message) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } },
        };
        request.Headers.TryAddWithoutValidation("TE", "trailers");
        AddHeaders(request, config, destination, target);

        using var response = await cluster.Model!.Invoker.SendAsync(request, cancellationToken);
        if (response.StatusCode != HttpStatusCode.OK)
            return new($"status {(int)response.StatusCode}", "status");
        var buffer = new byte[MaxResponse];
        using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var length = await stream.ReadAtLeastAsync(buffer, MaxResponse, throwOnEndOfStream: false, cancellationToken);
        // An error may have its status among the headers ("Trailers-Only").
        var status = Field(response.TrailingHeaders, "grpc-status") ?? Field(response.Headers, "grpc-status");
        if (status != "0")
            return new(status is null ? "no grpc-status: this is no gRPC server" : $"grpc-status {RequestGuard.WithoutControls(status)}", "grpc_status");
        return ReadStatus(buffer.AsSpan(0, length)) switch
        {
            1 => ProbeResult.Success,
            >= 0 and <= 3 and var serving => new($"the service is {s_statuses[serving]}", "not_serving"),
            _ => new("the answer is no HealthCheckResponse", "body"),
        };
    }

    /// <summary>HealthCheckRequest { string service = 1; }, in a gRPC frame.</summary>
    internal static byte[] CreateMessage(string service)
    {
        var name = Encoding.UTF8.GetBytes(service);
        var field = new List<byte>();
        if (name.Length > 0)
        {
            field.Add((1 << 3) | 2);
            for (var rest = (uint)name.Length; ; rest >>= 7)
            {
                field.Add((byte)(rest < 0x80 ? rest : rest | 0x80));
                if (rest < 0x80)
                    break;
            }
            field.AddRange(name);
        }
        var message = new byte[PrefixLength + field.Count];
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), field.Count);
        field.CopyTo(message, PrefixLength);
        return message;
    }

    /// <summary>HealthCheckResponse { ServingStatus status = 1; }, in a gRPC frame; -1 if it is none. A field at its default, 0, is not sent.</summary>
    internal static int ReadStatus(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < PrefixLength || frame[0] != 0 || BinaryPrimitives.ReadInt32BigEndian(frame[1..]) != frame.Length - PrefixLength)
            return -1;
        var status = 0;
        for (var rest = frame[PrefixLength..]; !rest.IsEmpty;)
        {
            if (!TryReadVarint(ref rest, out var tag) || !TryReadVarint(ref rest, out var value))
                return -1;
            switch (tag & 7)
            {
                case 0 when tag >> 3 == 1:
                    status = value <= 3 ? (int)value : 0;
                    break;
                case 0:
                    break;
                case 2 when value <= (uint)rest.Length: // a field of a later version of the protocol
                    rest = rest[(int)value..];
                    break;
                default:
                    return -1;
            }
        }
        return status;
    }

    private static bool TryReadVarint(ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (var i = 0; i < bytes.Length && i < 10; i++)
        {
            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80)
            {
                bytes = bytes[(i + 1)..];
                return true;
            }
        }
        return false;
    }

    private static string? Field(HttpResponseHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out var values) ? values.ToString() : null;
}
