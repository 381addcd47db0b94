using ProxyKit.Diagnostics;
using ProxyKit.Forwarding;

namespace ProxyKit.FastCgi;

/// <summary>What an exchange sends, wherever it comes from.</summary>
internal abstract class FastCgiRequest
{
    public abstract string Method { get; }

    /// <summary>What log lines call it.</summary>
    public abstract string Path { get; }

    public abstract HttpContent? Content { get; }

    /// <summary>The content's length; null if there is no content, or its length is not known.</summary>
    public virtual long? Length => Content?.Headers.ContentLength;

    /// <summary>What a warning about the response calls the script.</summary>
    public virtual string Script => Path;

    /// <summary>Passes an interim response on. <paramref name="length"/>: of its header section, in bytes.</summary>
    public virtual void Relay(int status, string? reason, HeaderList fields, int length)
    {
    }

    /// <summary>Writes the parameters.</summary>
    public abstract void WriteVariables(FastCgiRequestWriter writer, long? length);
}

/// <summary>A request that <see cref="FastCgiHandler"/> is given.</summary>
internal sealed class FastCgiMessage(HttpRequestMessage message) : FastCgiRequest
{
    public override string Method => message.Method.Method;

    public override string Path => message.RequestUri!.AbsolutePath;

    public override HttpContent? Content => message.Content;

    public override void WriteVariables(FastCgiRequestWriter writer, long? length) => CgiVariables.Write(writer, message, length);
}

/// <summary>A request that is forwarded.</summary>
internal sealed class ForwardedRequest(PreparedRequest prepared, Destination destination, InterimRelay? interim = null) : FastCgiRequest
{
    public override string Method => prepared.Method;

    public override string Path => prepared.Path;

    public override HttpContent? Content => prepared.Body;

    public override long? Length => prepared.Body?.Length;

    public override string Script
    {
        get
        {
            foreach (var (name, value) in prepared.Cgi)
            {
                if (name == "SCRIPT_FILENAME")
                    return LogText.Printable(value);
            }
            return Path;
        }
    }

    public override void Relay(int status, string? reason, HeaderList fields, int length) => interim?.Relay(status, reason, fields, length);

    public override void WriteVariables(FastCgiRequestWriter writer, long? length) =>
        CgiVariables.Write(writer, prepared, prepared.Host ?? HeaderText.Host(destination.Config.Host) ?? prepared.DefaultHost ?? destination.Target.Host, length ?? (prepared.IsIdempotent ? null : 0));
}
