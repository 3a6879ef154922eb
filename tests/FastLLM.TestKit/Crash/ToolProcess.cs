using System.Diagnostics;
using FastLLM.Diagnostics;

namespace FastLLM.TestKit.Crash;

/// <summary>The <c>fastllm</c> program as a process that may be killed, with nothing in its environment but what it is given.</summary>
public sealed class ToolProcess : IDisposable
{
    /// <summary>The exit code of a process that was killed: as a shell has it, 128 and the number of SIGKILL.</summary>
    public const int Killed = 137;

    private const int KilledOnWindows = -1;

    private static readonly string[] Variables = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", KillPointVariable];

    private readonly Process _process;
    private readonly Task<string> _messages;

    private ToolProcess(Process process)
    {
        _process = process;
        Started = DateTimeOffset.UtcNow;
        Ended = process.WaitForExitAsync();
        _messages = process.StandardError.ReadToEndAsync();
    }

    /// <summary>Gets the program as it was built, beside the program that runs: artifacts/bin/FastLLM.Cli/CONFIGURATION.</summary>
    public static string Program { get; } = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", "FastLLM.Cli", Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)),
        OperatingSystem.IsWindows() ? "fastllm.exe" : "fastllm"));

    public DateTimeOffset Started { get; }

    public StreamReader Output => _process.StandardOutput;

    /// <summary>Gets a task that completes when the process has ended.</summary>
    public Task Ended { get; }

    private static string KillPointVariable => Diagnostics.KillPoint.Variable;

    public static ToolProcess Start(string folder, string? killPoint, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string name in Variables)
        {
            start.Environment.Remove(name);
        }

        if (killPoint is not null)
        {
            start.Environment[KillPointVariable] = killPoint;
        }

        return new ToolProcess(Process.Start(start)!);
    }

    /// <summary>Ends it as <c>kill -9</c> does.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Waits for its end.</summary>
    /// <returns>The exit code, <see cref="Killed"/> where it was killed; and what it said.</returns>
    /// <exception cref="TimeoutException">It did not end in time; it has been killed.</exception>
    public async Task<(int Exit, string Messages)> WaitAsync(TimeSpan atMost)
    {
        try
        {
            await Ended.WaitAsync(atMost);
        }
        catch (TimeoutException)
        {
            _process.Kill();
            await Ended;
            throw new TimeoutException($"fastllm {string.Join(' ', _process.StartInfo.ArgumentList)} did not end within {atMost}: {await _messages}");
        }

        return (_process.ExitCode == KilledOnWindows ? Killed : _process.ExitCode, await _messages);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }
}
