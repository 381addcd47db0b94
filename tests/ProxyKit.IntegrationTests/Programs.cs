using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace ProxyKit.IntegrationTests;

/// <summary>Tests that build or run programs do so one after another: each takes all processors.</summary>
[CollectionDefinition("programs", DisableParallelization = true)]
public sealed class ProgramsCollection;

/// <summary>A program that a test runs to its end, or starts and ends. Its output is kept; it never outlives the test.</summary>
internal sealed class RunningProgram : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private RunningProgram(Process process) => _process = process;

    public string Output
    {
        get
        {
            lock (_lock)
                return _output.ToString();
        }
    }

    public static RunningProgram Start(string file, string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo(file, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        // What the test runner's own build has set does not concern another.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) || name.StartsWith("ASPNETCORE_", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        // No build server stays behind, holding on to our pipes.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["UseSharedCompilation"] = "false";
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Production";

        var program = new RunningProgram(new Process { StartInfo = start });
        program._process.OutputDataReceived += (_, e) => program.Add(e.Data);
        program._process.ErrorDataReceived += (_, e) => program.Add(e.Data);
        program._process.Start();
        program._process.StandardInput.Close();
        program._process.BeginOutputReadLine();
        program._process.BeginErrorReadLine();
        return program;
    }

    /// <summary>Runs <c>dotnet</c> to its end, which must be a success; returns what it wrote.</summary>
    public static async Task<string> DotnetAsync(string folder, params string[] arguments)
    {
        await using var program = Start(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", folder, arguments);
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(8));
        try
        {
            await program._process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"dotnet {string.Join(' ', arguments)} has not ended:\n{program.Output}");
        }
        Assert.True(program._process.ExitCode == 0, $"dotnet {string.Join(' ', arguments)} ended with {program._process.ExitCode}:\n{program.Output}");
        return program.Output;
    }

    /// <summary>Waits until the program has written this.</summary>
    public async Task<Match> WaitForAsync(string pattern)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            Task more;
            lock (_lock)
                more = _more.Task;
            if (Regex.Match(Output, pattern, RegexOptions.Multiline) is { Success: true } match)
                return match;
            if (_process.HasExited)
                Assert.Fail($"The program ended with {_process.ExitCode}:\n{Output}");
            await Task.WhenAny(more, _process.WaitForExitAsync(limit.Token));
            Assert.False(limit.IsCancellationRequested, $"The program did not write '{pattern}':\n{Output}");
        }
    }

    /// <summary>Asks it to end, with SIGTERM: a shell that starts a run in the background lets its children ignore SIGINT.</summary>
    public void Stop()
    {
        using var kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
        kill.WaitForExit();
    }

    /// <summary>At once, whatever it is doing (SIGKILL). False if it had ended.</summary>
    public bool Kill()
    {
        if (_process.HasExited)
            return false;
        _process.Kill();
        return true;
    }

    /// <summary>Waits until it ends by itself.</summary>
    public async Task<int> ExitCodeAsync(int seconds = 60)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"The program has not ended{(_process.HasExited ? ", or somebody else still holds its output" : "")}:\n{Output}");
        }
        return _process.ExitCode;
    }

    private void Add(string? line)
    {
        if (line is null)
            return;
        TaskCompletionSource more;
        lock (_lock)
        {
            _output.AppendLine(line);
            (more, _more) = (_more, new(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        more.SetResult();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("proxykit-").FullName;

    public string Combine(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    public void Write(string name, string text) => File.WriteAllText(Combine(name), text);

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (IOException)
        {
        }
    }
}
