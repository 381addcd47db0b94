namespace ProxyKit.Benchmarks.Load;

/// <summary>What processes have used, from /proc (man 5 proc).</summary>
internal static class ProcessUsage
{
    // USER_HZ, in which Linux counts CPU time for programs on every architecture .NET runs on.
    private const double TicksPerSecond = 100;

    /// <summary>CPU seconds of a process and its descendants.</summary>
    public static double CpuSeconds(int process) => Tree(process).Sum(id => Stat(id) is { } stat ? (stat[11] + stat[12]) / TicksPerSecond : 0);

    /// <summary>How often the threads of a process and its descendants have gone to sleep.</summary>
    public static long ContextSwitches(int process) => Tree(process).Sum(id => Threads(id).Sum(thread =>
        ReadLines($"{thread}/status").FirstOrDefault(line => line.StartsWith("voluntary_ctxt_switches:", StringComparison.Ordinal)) is { } line
            ? long.Parse(line.AsSpan("voluntary_ctxt_switches:".Length).Trim())
            : 0));

    /// <summary>CPU seconds of this process, its descendants, and the children it has had.</summary>
    public static double OwnCpuSeconds() =>
        CpuSeconds(Environment.ProcessId) + (Stat(Environment.ProcessId) is { } stat ? (stat[13] + stat[14]) / TicksPerSecond : 0);

    /// <summary>CPU seconds that the whole machine has been busy.</summary>
    public static double MachineCpuSeconds()
    {
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        const int idle = 4, ioWait = 5;
        return Enumerable.Range(1, 8).Where(i => i is not (idle or ioWait)).Sum(i => long.Parse(fields[i])) / TicksPerSecond;
    }

    /// <summary>The most memory that a process and its descendants have had resident since <see cref="ResetPeakMemory"/>.</summary>
    public static long PeakMemoryBytes(int process) => MemoryBytes(process, "VmHWM:");

    /// <summary>Memory of a process and its descendants that is resident and not of a file.</summary>
    public static long AnonymousMemoryBytes(int process) => MemoryBytes(process, "RssAnon:");

    /// <summary>The length of the files below a folder, those included that are deleted and that the process or a descendant still has open.</summary>
    public static long FileBytes(int process, string folder)
    {
        var files = new Dictionary<string, long>(); // by name: one that is open twice takes its space once
        foreach (var file in new DirectoryInfo(folder).EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 }))
            files[file.FullName] = file.Exists ? file.Length : 0; // not opened: .NET's pipes for debuggers are among them, and opening one waits for a debugger
        foreach (var id in Tree(process))
            AddDeletedFiles(files, $"/proc/{id}/fd", folder + Path.DirectorySeparatorChar);
        return files.Values.Sum();
    }

    public static void ResetPeakMemory(int process)
    {
        foreach (var id in Tree(process))
        {
            try
            {
                File.WriteAllText($"/proc/{id}/clear_refs", "5");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Not ours to reset (nginx's workers run as another user): its peak then counts from its start.
            }
        }
    }

    private static long MemoryBytes(int process, string name) => Tree(process).Sum(id =>
        ReadLines($"/proc/{id}/status").FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal)) is { } line
            ? long.Parse(line.AsSpan(name.Length, line.Length - name.Length - "kB".Length).Trim()) * 1024
            : 0);

    private static void AddDeletedFiles(Dictionary<string, long> files, string descriptors, string folder)
    {
        const string deleted = " (deleted)";
        try
        {
            foreach (var descriptor in new DirectoryInfo(descriptors).EnumerateFiles())
                if (descriptor.LinkTarget is { } target && target.StartsWith(folder, StringComparison.Ordinal) && target.EndsWith(deleted, StringComparison.Ordinal))
                    files[target] = LengthOf(descriptor.FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The process is gone, or another user's.
        }
    }

    private static long LengthOf(string path)
    {
        try
        {
            // Opened, because below /proc a name is a link to what it stands for, deleted though it is.
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return RandomAccess.GetLength(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return 0; // closed meanwhile
        }
    }

    private static List<int> Tree(int root)
    {
        var parents = Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), out var id) ? id : 0)
            .Where(id => id != 0)
            .Select(id => (Id: id, Parent: Stat(id) is { } stat ? (int)stat[1] : 0))
            .ToLookup(process => process.Parent, process => process.Id);
        var tree = new List<int> { root };
        for (var i = 0; i < tree.Count; i++)
            tree.AddRange(parents[tree[i]]);
        return tree;
    }

    private static string[] Threads(int process)
    {
        try
        {
            return Directory.GetDirectories($"/proc/{process}/task");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    // The numbers after the program's name, which may itself contain spaces and brackets; null when the process is gone.
    // [1] is the parent, [11] and [12] CPU time in user and kernel mode, [13] and [14] that of children waited for.
    private static long[]? Stat(int process)
    {
        var text = string.Concat(ReadLines($"/proc/{process}/stat"));
        return text.Length == 0 ? null
            : [.. text[(text.LastIndexOf(')') + 2)..].Split(' ').Take(15).Select(field => long.TryParse(field, out var number) ? number : 0)];
    }

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
