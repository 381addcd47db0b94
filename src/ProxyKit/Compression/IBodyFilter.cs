using Microsoft.AspNetCore.Http.Features;

namespace ProxyKit.Compression;

/// <summary>A response's body that hands on to another one what is written to it, in another form.</summary>
internal interface IBodyFilter
{
    /// <summary>The one behind it.</summary>
    IHttpResponseBodyFeature Inner { get; }

    /// <summary>Whether what is written comes out in another form. Then a flush costs some of the compression, or nothing has come of it yet: it is worth it when the upstream pauses.</summary>
    bool IsRecoding { get; }
}
