using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using FastLLM.Benchmarks.Load;
using FastLLM.Benchmarks.Serving;
using Npgsql;

namespace FastLLM.Benchmarks.Cluster;

/// <summary>A cluster as a user sees it: addresses in the environment, commands, workers.</summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    private static readonly TimeSpan s_lookEvery = TimeSpan.FromMilliseconds(100);

    private readonly TemporaryFolder _folder = new();
    private readonly List<WorkerProcess> _workers = [];
    private readonly Dictionary<string, string> _environment;
    private readonly NpgsqlDataSource _source;
    private int _started;

    private LocalCluster(string connection, Uri broker)
    {
        (Connection, Broker) = (connection, broker);
        _source = NpgsqlDataSource.Create(connection);
        var names = new NpgsqlConnectionStringBuilder(connection);
        string[] user = broker.UserInfo.Split(':');
        _environment = new Dictionary<string, string>
        {
            ["FASTLLM_STORE"] = $"postgres://{names.Username}@{names.Host}:{names.Port}/{names.Database}",
            ["PGPASSWORD"] = names.Password ?? "",
            ["FASTLLM_BROKER"] = $"amqp://{user[0]}@{broker.Authority}{broker.AbsolutePath}",
            ["FASTLLM_BROKER_PASSWORD"] = user[1],
            ["XDG_CACHE_HOME"] = PathOf("caches"),
        };
    }

    /// <summary>Gets how to connect to the database.</summary>
    public string Connection { get; }

    /// <summary>Gets the address of the broker.</summary>
    public Uri Broker { get; }

    /// <summary>Gets the workers, the oldest one first.</summary>
    public IReadOnlyList<WorkerProcess> Workers => _workers;

    /// <summary>Gets or sets whether each worker has another clock, days apart (Linux, as root).</summary>
    public bool HasOwnClocks { get; set; }

    /// <summary>Gets what the workers have written since they were ready.</summary>
    public ConcurrentQueue<string> Messages { get; } = new();

    public static async Task<LocalCluster> CreateAsync(ClusterServers servers)
    {
        (string connection, Uri broker) = await servers.CreateAsync();
        var cluster = new LocalCluster(connection, broker);
        await cluster.MeasureAsync("cluster", "init");
        return cluster;
    }

    /// <summary>Returns the path of a file that is gone with the cluster.</summary>
    public string PathOf(string name) => _folder.PathOf(name);

    /// <summary>Runs a command to its end.</summary>
    public Task<ProcessRun> MeasureAsync(params IEnumerable<string> arguments) =>
        ProcessRun.MeasureAsync(() => Process.Start(StartOf(Tool.Built, arguments))!);

    /// <summary>Starts workers.</summary>
    public Task StartWorkersAsync(int count) => Task.WhenAll(Enumerable.Range(0, count).Select(async _ =>
    {
        WorkerProcess worker = await StartWorkerAsync();
        lock (_workers)
        {
            _workers.Add(worker); // at once: it is killed also if another one does not start
        }
    }));

    /// <summary>Kills a worker, and starts another in its place.</summary>
    /// <returns>When it was killed.</returns>
    public async Task<long> KillAsync(int number, Func<string, Task> afterKill)
    {
        WorkerProcess killed = _workers[number];
        killed.Kill();
        long at = Stopwatch.GetTimestamp();
        await afterKill(killed.Id);
        killed.Dispose();
        _workers[number] = await StartWorkerAsync();
        return at;
    }

    /// <summary>Sends a signal that ends it to the oldest worker, which is no longer one of the cluster.</summary>
    public void End(string signal)
    {
        _workers[0].Signal(signal);
        _workers.RemoveAt(0);
    }

    /// <summary>Submits a file.</summary>
    /// <returns>The ID of the job.</returns>
    public async Task<string> SubmitAsync(string input, string baseUrl, int inFlight, params IEnumerable<string> options) =>
        (await MeasureAsync(["submit", input, "--base-url", baseUrl, "--concurrency", $"{inFlight}", .. options])).Output.Trim();

    /// <summary>Fetches the output of a job, with rows that have failed, if any have.</summary>
    public Task<ProcessRun> FetchAsync(string job, string output) =>
        ProcessRun.MeasureAsync(() => Process.Start(StartOf(Tool.Built, ["fetch", job, "-o", output]))!, rowsMayFail: true);

    /// <summary>Waits until a job has ended.</summary>
    public async Task<JobResult> WaitAsync(string job)
    {
        while (true)
        {
            await using (NpgsqlCommand command = _source.CreateCommand(
                """
                select state, rows, answered, sends, extract(epoch from finished - created)::double precision, reason
                from fastllm.jobs where id = $1
                """))
            {
                command.Parameters.Add(new NpgsqlParameter { Value = job });
                await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
                await reader.ReadAsync();
                if (reader.GetString(0) == "done")
                {
                    return new JobResult(reader.GetInt64(1), reader.GetInt64(2), reader.GetInt64(3), reader.GetDouble(4));
                }

                if (reader.GetString(0) != "running")
                {
                    throw new InvalidOperationException($"The job is {reader.GetString(0)}: {(reader.IsDBNull(5) ? "" : reader.GetString(5))}");
                }
            }

            await Task.Delay(s_lookEvery);
        }
    }

    /// <summary>Runs a query.</summary>
    public async Task<List<T>> QueryAsync<T>(string sql, Func<NpgsqlDataReader, T> read, params object[] values)
    {
        await using NpgsqlCommand command = _source.CreateCommand(sql);
        command.Parameters.AddRange(values.Select(value => new NpgsqlParameter { Value = value }).ToArray());
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        List<T> rows = [];
        while (await reader.ReadAsync())
        {
            rows.Add(read(reader));
        }

        return rows;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (WorkerProcess worker in _workers)
        {
            worker.Dispose();
        }

        await _source.DisposeAsync();
        _folder.Dispose();
    }

    private Task<WorkerProcess> StartWorkerAsync()
    {
        string ahead = string.Create(CultureInfo.InvariantCulture, $"{100_000 * ++_started}");
        ProcessStartInfo start = HasOwnClocks
            ? StartOf("unshare", ["--time", "--monotonic", ahead, Tool.Built, "worker"]) : StartOf(Tool.Built, ["worker"]);
        start.RedirectStandardError = true;
        return WorkerProcess.StartAsync(start, Messages);
    }

    private ProcessStartInfo StartOf(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        foreach ((string name, string value) in _environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }
}

/// <summary>What came of a job.</summary>
/// <param name="Sends">The sends whose outcomes are in the output.</param>
/// <param name="Seconds">From its submission to its end.</param>
internal sealed record JobResult(long Rows, long Answered, long Sends, double Seconds);
