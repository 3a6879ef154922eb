using System.Diagnostics;

namespace FastLLM.TestKit.Servers;

/// <summary>A server in a process that does not outlive this one, even if this one is killed: the shell that started it ends it, and removes
/// its folder, when the shell's input closes.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    // The arguments: the usual signal to end the server, its folder, a command to run when it has ended, and the command of the server.
    private const string Shell = """
        signal=$1 folder=$2 last=$3
        shift 3
        exec 3<&0
        "$@" 3<&- </dev/null &
        server=$!
        (
          if read -r other <&3; then kill "-$other" $server; else : > "$folder/over"; kill "-$signal" $server; fi
        ) >/dev/null 2>&1 &
        wait $server
        kill $! 2>/dev/null
        sh -c "$last" 3<&- </dev/null
        if [ -e "$folder/over" ]; then rm -rf "$folder"; fi
        """;

    private const int MaxLines = 60;

    private static readonly TimeSpan s_maxTime = TimeSpan.FromMinutes(2);

    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<string> _lines = [];
    private readonly Process _process;
    private readonly Task _ended;
    private readonly string _readyText;

    private ServerProcess(Process process, string readyText)
    {
        _process = process;
        _readyText = readyText;
        _ended = Task.WhenAll(ReadAsync(process.StandardOutput), ReadAsync(process.StandardError), process.WaitForExitAsync());
    }

    /// <summary>Starts a server and waits until it is ready.</summary>
    /// <param name="start">What to run.</param>
    /// <param name="readyText">A part of the line that it writes when it is ready.</param>
    public static async Task<ServerProcess> StartAsync(ServerStart start, string readyText)
    {
        string[] shell = [.. start.Prefix, "sh", "-c", Shell, "sh", start.Signal, start.Folder, start.Last, .. start.Command];
        var server = new ServerProcess(Process.Start(Programs.Describe(shell[0], shell.Skip(1), start.Environment))!, readyText);
        await Task.WhenAny(server._ready.Task, server._ended).WaitAsync(s_maxTime);
        if (server._ready.Task.IsCompleted)
        {
            return server;
        }

        server._process.Dispose();
        throw new InvalidOperationException($"{start.Command[0]} did not start:\n{string.Join('\n', server._lines)}");
    }

    /// <summary>Ends the server by a signal, and keeps its folder.</summary>
    public async Task StopAsync(string signal)
    {
        await _process.StandardInput.WriteLineAsync(signal);
        await _process.StandardInput.FlushAsync();
        await EndAsync();
    }

    /// <summary>Ends the server, and removes its folder.</summary>
    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await EndAsync();
    }

    private async Task EndAsync()
    {
        await _ended.WaitAsync(s_maxTime);
        _process.Dispose();
    }

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (_lines)
            {
                _lines.Enqueue(line);
                if (_lines.Count > MaxLines)
                {
                    _lines.Dequeue();
                }
            }

            if (line.Contains(_readyText, StringComparison.Ordinal))
            {
                _ready.TrySetResult();
            }
        }
    }
}

/// <summary>Says how a server is started.</summary>
/// <param name="Command">The program and its arguments.</param>
/// <param name="Folder">Its private folder.</param>
/// <param name="Signal">The signal that ends it.</param>
internal sealed record ServerStart(IReadOnlyList<string> Command, string Folder, string Signal)
{
    /// <summary>Gets what runs the shell, such as a change of the user.</summary>
    public IReadOnlyList<string> Prefix { get; init; } = [];

    /// <summary>Gets a command of the shell that runs when the server has ended.</summary>
    public string Last { get; init; } = ":";

    /// <summary>Gets the variables of its environment.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }
}
