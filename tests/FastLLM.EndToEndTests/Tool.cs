using System.Diagnostics;
using System.Text;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>The tool as a real process, in a folder of its own, with no key in its environment but those it is given.</summary>
public sealed class Tool : IDisposable
{
    // As it was built, beside these tests: artifacts/bin/FastLLM.Cli/CONFIGURATION.
    internal static readonly string Program = Path.Combine(
        AppContext.BaseDirectory, "..", "..", "FastLLM.Cli", Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), "FastLLM.Cli.dll");

    private static readonly string[] KeyVariables = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID"];

    public string Folder { get; } = Directory.CreateTempSubdirectory("fastllm-").FullName;

    public Dictionary<string, string> Environment { get; } = [];

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    public string PathOf(string name) => Path.Combine(Folder, name);

    public string Write(string name, params IEnumerable<string> lines)
    {
        File.WriteAllText(PathOf(name), string.Concat(lines.Select(line => line + "\n")));
        return name;
    }

    /// <summary>Runs the tool to its end.</summary>
    public async Task<ToolResult> RunAsync(params string[] arguments)
    {
        using RunningTool tool = Start(arguments);
        return await tool.WaitAsync();
    }

    /// <summary>Runs the tool to its end from a shell, whose script gets the tool and its arguments as <c>$@</c>.</summary>
    public async Task<ToolResult> RunInShellAsync(string script, params string[] arguments)
    {
        using RunningTool tool = StartProcess("bash", ["-c", script, "bash", "dotnet", Program, .. arguments]);
        return await tool.WaitAsync();
    }

    public RunningTool Start(params string[] arguments) => StartProcess("dotnet", [Program, .. arguments]);

    private RunningTool StartProcess(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string name in KeyVariables)
        {
            start.Environment.Remove(name);
        }

        // Answers of other tests, and of whoever runs them, are none of this test's business.
        start.Environment["XDG_CACHE_HOME"] = PathOf("caches");
        foreach ((string name, string value) in Environment)
        {
            start.Environment[name] = value;
        }

        return new RunningTool(Process.Start(start)!, Ended);
    }
}

/// <summary>How the tool ended, and what it said.</summary>
public sealed record ToolResult(int Exit, string Output, string Messages);

/// <summary>The tool while it runs.</summary>
public sealed class RunningTool : IDisposable
{
    private readonly CancellationToken _ended;
    private readonly Task<string> _output;
    private readonly Task<string> _messages;
    private readonly StringBuilder _seen = new();
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public RunningTool(Process process, CancellationToken ended)
    {
        Process = process;
        _ended = ended;
        _output = process.StandardOutput.ReadToEndAsync(ended);
        _messages = ReadMessagesAsync();
    }

    public Process Process { get; }

    /// <summary>Sends a signal by its name, such as <c>INT</c>.</summary>
    public void Signal(string name)
    {
        using Process kill = Process.Start("kill", ["-" + name, Process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    /// <summary>Waits until the tool has said something on standard error.</summary>
    public async Task WaitForMessageAsync(string text)
    {
        while (true)
        {
            Task more;
            lock (_seen)
            {
                if (_seen.ToString().Contains(text, StringComparison.Ordinal))
                {
                    return;
                }

                more = _messages.IsCompleted ? throw new InvalidOperationException($"The tool ended without saying \"{text}\": {_seen}") : _more.Task;
            }

            await more.WaitAsync(_ended);
        }
    }

    private async Task<string> ReadMessagesAsync()
    {
        char[] buffer = new char[4096];
        int count;
        do
        {
            count = await Process.StandardError.ReadAsync(buffer, _ended);
            lock (_seen)
            {
                _seen.Append(buffer, 0, count);
                _more.SetResult();
                _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
        while (count > 0);
        return _seen.ToString();
    }

    public async Task<ToolResult> WaitAsync()
    {
        Process.StandardInput.Close();
        await Process.WaitForExitAsync(_ended);
        return new ToolResult(Process.ExitCode, await _output, await _messages);
    }

    public void Dispose()
    {
        if (!Process.HasExited)
        {
            Process.Kill();
            Process.WaitForExit();
        }

        Process.Dispose();
    }
}
