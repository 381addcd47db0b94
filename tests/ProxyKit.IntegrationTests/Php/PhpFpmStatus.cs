using System.Text.Json.Serialization;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>What <c>pm.status_path</c> says.</summary>
internal sealed record PhpFpmStatus
{
    /// <summary>Workers that have a connection: from its first byte until it is closed.</summary>
    [JsonPropertyName("active processes")]
    public int Active { get; init; }

    [JsonPropertyName("idle processes")]
    public int Idle { get; init; }

    /// <summary>The most that were active at once since the start.</summary>
    [JsonPropertyName("max active processes")]
    public int MaxActive { get; init; }

    /// <summary>Connections that have been accepted since the start.</summary>
    [JsonPropertyName("accepted conn")]
    public int Accepted { get; init; }

    /// <summary>Connections that wait for a worker (over TCP).</summary>
    [JsonPropertyName("listen queue")]
    public int Waiting { get; init; }

    [JsonPropertyName("processes")]
    public IReadOnlyList<PhpFpmWorker> Processes { get; init; } = [];

    public override string ToString() => $"{Active} active, {Idle} idle, {Accepted} accepted: {string.Join(", ", Processes)}";
}

internal sealed record PhpFpmWorker
{
    [JsonPropertyName("pid")]
    public int Pid { get; init; }

    /// <summary>Idle, Running, Reading headers, Finishing …</summary>
    [JsonPropertyName("state")]
    public string State { get; init; } = "";

    /// <summary>Requests that it has served.</summary>
    [JsonPropertyName("requests")]
    public int Requests { get; init; }

    [JsonPropertyName("request uri")]
    public string Uri { get; init; } = "";
}
