using Microsoft.AspNetCore.Http;

namespace ProxyKit.Forwarding;

/// <summary>
/// The request as it will be sent, before a destination is chosen and whatever the transport: what compiled transforms work on.
/// Pooled; nothing of it may outlive the request.
/// </summary>
internal sealed class PreparedRequest
{
    public string Method = "GET";

    /// <summary>The path as it is sent, percent-encoded, starting with a slash.</summary>
    public string Path = "/";

    /// <summary>The query with its question mark, or nothing.</summary>
    public string Query = "";

    /// <summary>The Host header; null for the destination's own.</summary>
    public string? Host;

    /// <summary>The Host header where neither <see cref="Host"/> nor the destination's configuration has one; null for the destination's own name.</summary>
    public string? DefaultHost;

    public HeaderList Headers { get; } = new();

    public RequestBodyContent? Body;

    /// <summary>The parameters of a FastCGI request, each name once; none otherwise.</summary>
    public List<KeyValuePair<string, string>> Cgi { get; } = [];

    /// <summary>Fields of WebDAV that name the upstream's own URLs, completed when a destination is chosen.</summary>
    public List<KeyValuePair<string, string>> WebDav { get; } = [];

    /// <summary>The protocol that the client asks to switch to, if the route lets it.</summary>
    public string? Upgrade;

    public bool IsGrpc;

    /// <summary>How the proxy's own header values are encoded; null for latin-1.</summary>
    public System.Text.Encoding? Encoding;

    /// <summary>Why a transform cannot make of this client's request what it should.</summary>
    public Rejection? Rejection;

    /// <summary>Whether sending it twice does no more than sending it once (RFC 9110 §9.2.2).</summary>
    public bool IsIdempotent => Method is "GET" or "HEAD" or "OPTIONS" or "PUT" or "DELETE" or "TRACE";

    /// <summary>Whether the client's own header fields, which the forwarding-header transforms add to, can be believed.</summary>
    public bool PeerIsTrusted;

    public void CopyFrom(PreparedRequest other)
    {
        (Method, Path, Query, Host) = (other.Method, other.Path, other.Query, other.Host);
        (Upgrade, IsGrpc, PeerIsTrusted) = (other.Upgrade, other.IsGrpc, other.PeerIsTrusted);
        DefaultHost = other.DefaultHost;
        Cgi.AddRange(other.Cgi);
        WebDav.AddRange(other.WebDav);
        foreach (ref readonly var field in other.Headers.Fields)
            Headers.Add(field.Name, field.Value, field.Rule);
    }

    public void Clear()
    {
        Headers.Clear();
        Body = null;
        Host = null;
        Upgrade = null;
        Cgi.Clear();
        WebDav.Clear();
        DefaultHost = null;
        IsGrpc = false;
        Encoding = null;
        Rejection = null;
        PeerIsTrusted = false;
    }

    public static PathString Decode(string path) => PathString.FromUriComponent(path);
}
