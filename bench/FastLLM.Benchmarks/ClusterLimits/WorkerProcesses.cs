using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using FastLLM.Benchmarks.Load;
using FastLLM.Benchmarks.Serving;
using FastLLM.TestKit.Servers;

namespace FastLLM.Benchmarks.ClusterLimits;

/// <summary>A cluster of real processes: PostgreSQL, RabbitMQ and workers.</summary>
internal sealed class WorkerProcesses : IAsyncDisposable
{
    private readonly List<Process> _workers = [];
    private readonly Dictionary<string, string> _environment;
    private int _started;

    private WorkerProcesses(PostgresServer postgres, RabbitServer rabbit, string store)
    {
        (Postgres, Rabbit, Store) = (postgres, rabbit, store);
        _environment = new Dictionary<string, string>
        {
            ["FASTLLM_STORE"] = store,
            ["FASTLLM_BROKER"] = rabbit.Uri.ToString(),
            ["XDG_CACHE_HOME"] = Folder.PathOf(""),
            ["OPENAI_API_KEY"] = "no-key-needed",
        };
    }

    public PostgresServer Postgres { get; }

    public RabbitServer Rabbit { get; }

    public string Store { get; }

    public TemporaryFolder Folder { get; } = new();

    /// <summary>Gets or sets whether each worker has another clock, days apart (Linux, as root).</summary>
    public bool HaveOwnClocks { get; set; }

    /// <summary>Gets what the workers have written, without the usual.</summary>
    public ConcurrentQueue<string> Messages { get; } = new();

    public static async Task<WorkerProcesses> StartAsync()
    {
        PostgresServer postgres = await PostgresServer.StartAsync();
        RabbitServer rabbit = await RabbitServer.StartAsync();
        var cluster = new WorkerProcesses(postgres, rabbit, await postgres.CreateDatabaseAsync());
        await cluster.RunAsync("cluster", "init");
        return cluster;
    }

    /// <summary>Starts a worker, and waits until it is ready.</summary>
    public async Task AddAsync()
    {
        string[] command = [Tool.Built, "worker", "--api-key-env", "OPENAI_API_KEY"];
        string ahead = string.Create(CultureInfo.InvariantCulture, $"{100_000 * ++_started}");
        Process worker = HaveOwnClocks ? Start("unshare", ["--time", "--monotonic", ahead, .. command]) : Start(command[0], command[1..]);
        _workers.Add(worker);
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        worker.OutputDataReceived += (_, _) => { };
        worker.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is null or "")
            {
                ready.TrySetResult();
            }
            else if (line.Data.Contains("is ready.", StringComparison.Ordinal))
            {
                ready.TrySetResult();
            }
            else
            {
                Messages.Enqueue(string.Create(CultureInfo.InvariantCulture, $"{worker.Id}: {line.Data}"));
            }
        };
        worker.BeginOutputReadLine();
        worker.BeginErrorReadLine();
        await ready.Task;
    }

    /// <summary>Sends a signal to the worker that has been there for the longest time.</summary>
    public void Signal(string name, bool ends)
    {
        Process worker = _workers[0];
        using Process kill = Process.Start("kill", [$"-{name}", worker.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
        if (ends)
        {
            _workers.RemoveAt(0);
        }
    }

    /// <summary>Runs a command of the tool to its end.</summary>
    /// <returns>Its output.</returns>
    public async Task<string> RunAsync(params IEnumerable<string> args)
    {
        using Process process = Start(Tool.Built, args);
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? (await output).Trim() : throw new InvalidOperationException($"{await output}{await errors}");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Process worker in _workers)
        {
            worker.Kill();
            worker.WaitForExit();
            worker.Dispose();
        }

        await Rabbit.DisposeAsync();
        await Postgres.DisposeAsync();
        Folder.Dispose();
    }

    private Process Start(string program, IEnumerable<string> args)
    {
        var start = new ProcessStartInfo(program, args)
        {
            WorkingDirectory = Folder.PathOf(""),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in _environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }
}
