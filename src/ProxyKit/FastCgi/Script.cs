namespace ProxyKit.FastCgi;

/// <summary>
/// What answers a request. As a feature of the <see cref="Microsoft.AspNetCore.Http.HttpContext"/> it is the answer of an earlier stage, and none is looked for.
/// </summary>
/// <param name="Name">The path that names it, before it is told what stands in front: <c>/blog/index.php</c>. Empty where the application is one script.</param>
/// <param name="PathInfo">What follows in the path: nothing, or something that begins with a slash.</param>
/// <param name="FileName">Its file; null where the application is one script.</param>
/// <param name="Root">The folder of the site.</param>
internal sealed record Script(string Name, string PathInfo, string? FileName, string? Root);
