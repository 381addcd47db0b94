namespace ProxyKit;

/// <summary>What the buffered bodies of an app may take together; see <see cref="BufferingConfig"/>.</summary>
public sealed class BufferingLimits
{
    /// <summary>
    /// Where bodies that are too long for memory wait. The folder is made with access for the app's user only, and cleared of what a crash left when the app starts.
    /// Default: null, a folder of its own below the system's for temporary files. nginx: <c>client_body_temp_path</c>, <c>proxy_temp_path</c>.
    /// </summary>
    public string? Directory { get; set; }

    /// <summary>Memory for all buffered bodies together, in bytes; at least 0. Bodies that find none left wait in files. Default: 134217728 (128 MiB).</summary>
    public long MaxMemory { get; set; } = 128L * 1024 * 1024;

    /// <summary>
    /// Disk space for all buffered bodies together, in bytes; at least 0. A request that finds none left is answered with 503 and <c>Retry-After</c>; of a response no more
    /// is read until there is some. Default: 8589934592 (8 GiB).
    /// </summary>
    public long MaxDisk { get; set; } = 8L * 1024 * 1024 * 1024;

    /// <summary>
    /// How much of <see cref="MaxDisk"/> the request bodies of one client address may take, as a fraction above 0 and at most 1 (no limit). A request beyond it is answered with 503. Behind a trusted proxy, the client is
    /// the one that the proxy names. Default: 0.5.
    /// </summary>
    public double MaxClientShare { get; set; } = 0.5;
}
