using System.Diagnostics;
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
    private readonly NpgsqlDataSource _source;

    private LocalCluster(string connection, Uri broker)
    {
        (Connection, Broker) = (connection, broker);
        _source = NpgsqlDataSource.Create(connection);
    }

    /// <summary>Gets how to connect to the database.</summary>
    public string Connection { get; }

    /// <summary>Gets the address of the broker.</summary>
    public Uri Broker { get; }

    /// <summary>Gets the workers.</summary>
    public IReadOnlyList<WorkerProcess> Workers => _workers;

    public static async Task<LocalCluster> CreateAsync(ClusterServers servers)
    {
        (string connection, Uri broker) = await servers.CreateAsync();
        var names = new NpgsqlConnectionStringBuilder(connection);
        string[] user = broker.UserInfo.Split(':');
        Environment.SetEnvironmentVariable("FASTLLM_STORE", $"postgres://{names.Username}@{names.Host}:{names.Port}/{names.Database}");
        Environment.SetEnvironmentVariable("PGPASSWORD", names.Password);
        Environment.SetEnvironmentVariable("FASTLLM_BROKER", $"amqp://{user[0]}@{broker.Authority}{broker.AbsolutePath}");
        Environment.SetEnvironmentVariable("FASTLLM_BROKER_PASSWORD", user[1]);
        var cluster = new LocalCluster(connection, broker);
        await MeasureAsync("cluster", "init");
        return cluster;
    }

    /// <summary>Returns the path of a file that is gone with the cluster.</summary>
    public string PathOf(string name) => _folder.PathOf(name);

    /// <summary>Runs a command to its end, on the cluster that was created last.</summary>
    public static Task<ProcessRun> MeasureAsync(params string[] arguments) => ProcessRun.MeasureAsync(() => Tool.Start(Tool.Built, arguments));

    /// <summary>Starts workers.</summary>
    public async Task StartWorkersAsync(int count) =>
        _workers.AddRange(await Task.WhenAll(Enumerable.Range(0, count).Select(_ => WorkerProcess.StartAsync())));

    /// <summary>Kills a worker, and starts another in its place.</summary>
    /// <returns>When it was killed.</returns>
    public async Task<long> KillAsync(int number, Func<string, Task> afterKill)
    {
        WorkerProcess killed = _workers[number];
        killed.Kill();
        long at = Stopwatch.GetTimestamp();
        await afterKill(killed.Id);
        killed.Dispose();
        _workers[number] = await WorkerProcess.StartAsync();
        return at;
    }

    /// <summary>Submits a file to the cluster that was created last.</summary>
    /// <returns>The ID of the job.</returns>
    public static async Task<string> SubmitAsync(string input, string baseUrl, int inFlight) =>
        (await MeasureAsync("submit", input, "--base-url", baseUrl, "--concurrency", $"{inFlight}")).Output.Trim();

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
}

/// <summary>What came of a job.</summary>
/// <param name="Sends">The sends whose outcomes are in the output.</param>
/// <param name="Seconds">From its submission to its end.</param>
internal sealed record JobResult(long Rows, long Answered, long Sends, double Seconds);
