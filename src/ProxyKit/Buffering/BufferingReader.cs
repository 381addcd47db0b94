using ProxyKit.Configuration;

namespace ProxyKit.Buffering;

/// <summary>A route's <c>Buffering</c> in JSON.</summary>
internal static class BufferingReader
{
    public static BufferingConfig Read(SectionReader buffering)
    {
        var defaults = new BufferingConfig();
        return new()
        {
            Request = buffering.Section("Request", ReadRequest) ?? defaults.Request,
            Response = buffering.Section("Response", ReadResponse) ?? defaults.Response,
        };
    }

    private static RequestBufferingConfig ReadRequest(SectionReader request)
    {
        var defaults = new RequestBufferingConfig();
        return new()
        {
            Enabled = request.Bool("Enabled"),
            MemoryThreshold = request.Int("MemoryThreshold") ?? defaults.MemoryThreshold,
            IdleTimeout = request.Time("IdleTimeout") ?? defaults.IdleTimeout,
            MinDataRate = request.Double("MinDataRate") ?? defaults.MinDataRate,
            MinDataRateGracePeriod = request.Time("MinDataRateGracePeriod") ?? defaults.MinDataRateGracePeriod,
        };
    }

    private static ResponseBufferingConfig ReadResponse(SectionReader response)
    {
        var defaults = new ResponseBufferingConfig();
        return new()
        {
            Enabled = response.Bool("Enabled"),
            MemoryThreshold = response.Int("MemoryThreshold") ?? defaults.MemoryThreshold,
            MaxSize = response.Long("MaxSize") ?? defaults.MaxSize,
        };
    }
}
