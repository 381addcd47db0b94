using System.Diagnostics;
using System.Runtime.Versioning;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using ProxyKit.Buffering;

namespace ProxyKit.Tests.Buffering;

/// <summary>Files that nobody else can read, and that nothing leaves behind.</summary>
public sealed class TempFilesTests : IDisposable
{
    private readonly string _parent = Directory.CreateTempSubdirectory("proxykit-test-").FullName;
    private readonly FakeLoggerProvider _logs = new();
    private readonly BufferBudget _budget = BufferBudgetTests.Create(memory: 0, disk: 1000);

    public void Dispose()
    {
        _logs.Dispose();
        Directory.Delete(_parent, recursive: true);
    }

    [Fact]
    public async Task A_file_can_be_read_while_it_is_written_and_is_gone_when_it_is_closed()
    {
        using var files = Create();
        using (var file = files.Create())
        {
            Assert.True(file.TryTake(10));
            await file.WriteAsync("Hello"u8.ToArray(), 0, default);
            await file.WriteAsync(new ReadOnlyMemory<byte>[] { "wor"u8.ToArray(), "ld"u8.ToArray() }, 5, default);
            var read = new byte[20];
            Assert.Equal(5, await file.ReadAsync(read.AsMemory(0, 5), 5, default));
            Assert.Equal("world"u8, read.AsSpan(0, 5));
            Assert.Equal(0, await file.ReadAsync(read, 10, default));
            Assert.Equal(10, _budget.DiskInUse);
            Assert.False(file.TryTake(991));

            file.Truncate();
            Assert.Equal(0, await file.ReadAsync(read, 0, default));
            Assert.Equal(0, _budget.DiskInUse);
            Assert.True(file.TryTake(1));
        }
        Assert.Equal(0, _budget.DiskInUse);
        Assert.DoesNotContain(Directory.GetFiles(files.Prepare()), f => f.EndsWith(".tmp", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Processes_that_start_at_the_same_time_clear_up_only_after_the_dead()
    {
        var folder = TempFolder.Make(_parent);
        var starting = Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                using var file = TempFolder.Lock(folder).File;
                Assert.True(File.Exists(file.Name));
            }
        })).ToArray();

        while (!starting.All(task => task.IsCompleted))
            Assert.Equal(0, TempFolder.Clear(folder));

        await Task.WhenAll(starting);
        Assert.Empty(Directory.GetFiles(folder));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void Folder_and_files_are_for_their_owner_only_and_files_have_no_name()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Linux shows open files in /proc.");
        using var files = Create();
        var folder = files.Prepare();
        using var file = files.Create();

        Assert.Equal("700", Mode(File.GetUnixFileMode(folder)));
        Assert.Equal(".lock", Path.GetExtension(Assert.Single(Directory.GetFileSystemEntries(folder)))); // a crash now would leave no body
        var open = Directory.GetFiles("/proc/self/fd").Where(fd => new FileInfo(fd).LinkTarget is { } target && target.StartsWith(folder, StringComparison.Ordinal) && target.Contains(".tmp", StringComparison.Ordinal));
        Assert.Equal("600", Mode(File.GetUnixFileMode(Assert.Single(open))));
        Assert.Equal("600", Mode(File.GetUnixFileMode(Directory.GetFiles(folder).Single())));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void A_folder_that_others_can_look_into_is_closed()
    {
        var folder = Directory.CreateDirectory(Folder).FullName;
        File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        using var files = Create();

        Assert.Equal(folder, files.Prepare());
        Assert.Equal("700", Mode(File.GetUnixFileMode(folder)));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void A_link_in_the_folder_s_place_is_refused()
    {
        var elsewhere = Directory.CreateDirectory(Path.Combine(_parent, "elsewhere")).FullName;
        File.WriteAllText(Path.Combine(elsewhere, "dead-1.tmp"), "");
        Directory.CreateSymbolicLink(Folder, elsewhere);
        using var files = Create();

        Assert.Contains("symbolic link", Assert.Throws<IOException>(files.Prepare).Message, StringComparison.Ordinal);
        Assert.Throws<IOException>(files.Create);
        Assert.Single(Directory.GetFiles(elsewhere));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void A_folder_of_somebody_else_is_refused()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.UserName == "root", "Only root can give a folder away.");
        Directory.CreateDirectory(Folder);
        using (var chown = Process.Start("chown", ["12345", Folder]))
            chown.WaitForExit();
        using var files = Create();

        Assert.Contains("belongs to the user 12345", Assert.Throws<IOException>(files.Prepare).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_crash_left_is_cleared_and_what_is_in_use_is_not()
    {
        using var running = Create();
        var folder = running.Prepare();
        var id = Path.GetFileNameWithoutExtension(Directory.GetFiles(folder).Single());
        string[] others = [$"{id}-7.tmp", "readme.txt", "tmp"];
        foreach (var name in others.Append("dead.lock").Append("dead-1.tmp").Append("dead-2.tmp").Append("lockless-1.tmp").Append("bodiless.lock"))
            File.WriteAllText(Path.Combine(folder, name), "");

        using var next = Create();
        next.Prepare();

        var left = Directory.GetFiles(folder).Select(f => Path.GetFileName(f)).ToList();
        Assert.Equal(others, others.Intersect(left));
        Assert.Contains($"{id}.lock", left);
        Assert.DoesNotContain("bodiless.lock", left);
        Assert.Equal(others.Length + 2, left.Count); // and the lock of the next
        var log = Assert.Single(_logs.Collector.GetSnapshot());
        Assert.Equal((120, "3"), (log.Id.Id, log.GetStructuredStateValue("Count")));
    }

    [Fact]
    public async Task Many_processes_start_at_once_and_none_loses_its_lock()
    {
        var all = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() =>
        {
            var files = Create();
            files.Prepare();
            return files;
        })));

        Assert.Equal(16, Directory.GetFiles(Folder, "*.lock").Length);
        foreach (var files in all)
            files.Dispose();
        Assert.Empty(Directory.GetFiles(Folder));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void Who_tidies_up_the_temporary_files_of_a_quiet_app_does_no_harm()
    {
        using var files = Create();
        Directory.Delete(files.Prepare(), recursive: true);

        using var file = files.Create();

        Assert.True(file.TryTake(1));
        Assert.Single(Directory.GetFiles(Folder, "*.lock"));
    }

    private string Folder => Path.Combine(_parent, OperatingSystem.IsWindows() ? "proxykit" : $"proxykit-{UnixOwner.Current}");

    private TempFiles Create()
    {
        var options = new ReverseProxyOptions();
        options.Buffering.Directory = _parent;
        using var loggers = Microsoft.Extensions.Logging.LoggerFactory.Create(logging => { });
        loggers.AddProvider(_logs);
        return new(Options.Create(options), _budget, new BufferingLog(loggers));
    }

    private static string Mode(UnixFileMode mode) => Convert.ToString((int)mode, 8);
}
