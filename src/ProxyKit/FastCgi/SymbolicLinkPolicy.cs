namespace ProxyKit;

/// <summary>Where symbolic links below a site's root may lead.</summary>
public enum SymbolicLinkPolicy
{
    /// <summary>Anywhere, as long as a regular file is at their end. nginx: <c>disable_symlinks off</c>, its default.</summary>
    Follow,

    /// <summary>
    /// Only to files below the root's own real path, and for a script with an extension of scripts: for a root in which strangers can make links, such as one for uploads by
    /// FTP. Each request costs a look at every folder on the way.
    /// </summary>
    WithinRoot,
}
