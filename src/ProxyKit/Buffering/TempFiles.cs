using System.Globalization;
using Microsoft.Extensions.Options;

namespace ProxyKit.Buffering;

/// <summary>
/// The app's temporary files, in the folder that <see cref="TempFolder"/> makes. On Unix a file loses its name as soon as it is open, so a crash leaves nothing but
/// what was just being made. Each process holds a lock file in there, by which another one sees whether files are still somebody's.
/// </summary>
internal sealed class TempFiles(IOptions<ReverseProxyOptions> options, BufferBudget budget, BufferingLog log) : IDisposable
{
    private readonly Lock _lock = new();
    private volatile Session? _session;
    private long _number;
    private bool _disposed;

    /// <summary>The folder, made ready and cleared if it has not been yet. Throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>, with a message for operators.</summary>
    public string Prepare() => (_session ?? Open()).Folder;

    /// <summary>Throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>.</summary>
    public TempFile Create()
    {
        var session = _session ?? Open();
        try
        {
            return Create(session);
        }
        catch (DirectoryNotFoundException)
        {
            // Who tidies up the system's temporary files may take the folder of an app that has been quiet for days.
            Close(session);
            return Create(Open());
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _session?.Lock.Dispose();
            _session = null;
        }
    }

    private TempFile Create(Session session)
    {
        var path = Path.Combine(session.Folder, string.Create(CultureInfo.InvariantCulture, $"{session.Id}-{Interlocked.Increment(ref _number)}.tmp"));
        var file = new FileStream(path, Options(FileMode.CreateNew, OperatingSystem.IsWindows()));
        try
        {
            if (!OperatingSystem.IsWindows())
                File.Delete(path);
            return new(file, budget);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private Session Open()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_session is { } session)
                return session;
            var folder = TempFolder.Make(options.Value.Buffering.Directory);
            var (id, file) = TempFolder.Lock(folder);
            try
            {
                if (TempFolder.Clear(folder) is > 0 and var count)
                    log.TempFilesCleared(count, folder);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                log.TempFilesNotCleared(folder, e);
            }
            return _session = new(folder, id, file);
        }
    }

    private void Close(Session session)
    {
        lock (_lock)
        {
            if (_session == session)
                _session = null;
            session.Lock.Dispose();
        }
    }

    /// <summary>For a file that is this process's alone.</summary>
    public static FileStreamOptions Options(FileMode mode, bool deleteOnClose)
    {
        var options = new FileStreamOptions
        {
            Mode = mode,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            Options = FileOptions.Asynchronous | (deleteOnClose ? FileOptions.DeleteOnClose : 0),
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows() && mode != FileMode.Open)
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return options;
    }

    /// <param name="Folder">Where the files are.</param>
    /// <param name="Id">What their names begin with.</param>
    /// <param name="Lock">Open as long as they are in use.</param>
    private sealed record Session(string Folder, string Id, FileStream Lock);
}
