using System.Text.Json.Serialization;

namespace ProxyKit.IntegrationTests.Php;

/// <summary>What <c>pm.status_path</c> says.</summary>
internal sealed record PhpFpmStatus
{
    /// <summary>Workers that have a connection: from its first byte until it is closed. On kept connections php-fpm counts each request once more (see <see cref="Busy"/>).</summary>
    [JsonPropertyName("active processes")]
    public int Active { get; init; }

    /// <summary>The same, as the workers themselves say.</summary>
    [JsonIgnore]
    public int Busy => Processes.Count(p => p.State != "Idle");

    /// <summary>Requests since the start; php-fpm calls them connections.</summary>
    [JsonPropertyName("accepted conn")]
    public int Requests { get; init; }

    /// <summary>Connections that wait for a worker (over TCP).</summary>
    [JsonPropertyName("listen queue")]
    public int Waiting { get; init; }

    [JsonPropertyName("processes")]
    public IReadOnlyList<PhpFpmWorker> Processes { get; init; } = [];

    public override string ToString() => $"{Busy} busy, {Requests} requests: {string.Join(", ", Processes)}";
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
