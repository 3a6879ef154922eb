using System.Text.Json;
using System.Text.Json.Nodes;
using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Client;
using FastLLM.Cluster.Store;
using FastLLM.EndToEndTests;
using FastLLM.TestKit.Servers;
using Xunit;

namespace FastLLM.ClusterTests.Jobs;

/// <summary>A cluster of its own: a database, a virtual host of the broker, and the tool with their addresses in its environment.</summary>
internal sealed class JobCluster : IAsyncDisposable
{
    private readonly List<RunningTool> _workers = [];

    private JobCluster(string connection, Uri broker)
    {
        Connection = connection;
        Broker = BrokerAddress.Parse(broker.ToString());
        Store = new ClusterStore(connection);
        Tool.Environment["FASTLLM_STORE"] = connection;
        Tool.Environment["FASTLLM_BROKER"] = broker.ToString();
    }

    public string Connection { get; }

    public BrokerAddress Broker { get; }

    public Tool Tool { get; } = new();

    public ClusterStore Store { get; }

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    /// <summary>Creates a cluster on the servers that all tests share.</summary>
    public static async Task<JobCluster> CreateAsync(SharedServers servers) =>
        await CreateAsync(await servers.CreateDatabaseAsync(), await servers.CreateVirtualHostAsync());

    /// <summary>Creates a cluster on servers of its own.</summary>
    public static async Task<JobCluster> CreateAsync(string connection, Uri broker)
    {
        var cluster = new JobCluster(connection, broker);
        await cluster.Store.InitializeAsync(Ended);
        return cluster;
    }

    /// <summary>Starts a worker, and waits until it is ready.</summary>
    public async Task<RunningTool> StartWorkerAsync(params string[] arguments)
    {
        RunningTool worker = Tool.Start(["worker", .. arguments]);
        _workers.Add(worker);
        await worker.WaitForMessageAsync("is ready.");
        return worker;
    }

    /// <summary>Writes an input of so many different rows.</summary>
    public string WriteRows(int count, string name = "in.jsonl") => Tool.Write(name, Enumerable.Range(0, count).Select(i =>
        $$$"""{"custom_id":"row {{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"question {{{i}}}"}]}}"""));

    /// <summary>Submits a file.</summary>
    /// <returns>The id of the job.</returns>
    public async Task<string> SubmitAsync(string input, string baseUrl, params string[] arguments)
    {
        ToolResult result = await Tool.RunAsync(["submit", input, "--base-url", baseUrl, .. arguments]);
        Assert.True(result.Exit == 0, result.Messages);
        return result.Output.Trim();
    }

    /// <summary>Waits until a job has ended.</summary>
    /// <returns>The job, and its lines as they came.</returns>
    public async Task<(ClusterJob Job, IReadOnlyList<string> Lines)> FollowAsync(string job, Action<ClusterJob>? see = null)
    {
        List<string> lines = [];
        var follower = new JobFollower(Store, new StoreLink(Store.Time, _ => { }), _ => { });
        ClusterJob ended = await follower.FollowAsync(job, line => lines.Add(System.Text.Encoding.UTF8.GetString(line.Span)), Ended);
        see?.Invoke(ended);
        return (ended, lines);
    }

    /// <summary>Runs a statement.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await using var command = Store.Command(sql);
        await command.ExecuteNonQueryAsync(Ended);
    }

    /// <summary>Lets outputs of chunks, from a number on, find the disk of the database full.</summary>
    public Task FillDiskAsync(int from = 0) => ExecuteAsync($"""
        create function fastllm.refuse() returns trigger language plpgsql as
            $$ begin raise exception 'No space left on device' using errcode = '53100'; end $$;
        create trigger full_disk before update on fastllm.chunks for each row
            when (new.output is not null and new.number >= {from}) execute function fastllm.refuse();
        """);

    /// <summary>Lets there be room on the disk again.</summary>
    public Task FreeDiskAsync() => ExecuteAsync("drop trigger full_disk on fastllm.chunks");

    /// <summary>Runs a query of one value.</summary>
    public async Task<T> QueryAsync<T>(string sql)
    {
        await using var command = Store.Command(sql);
        return (T)(await command.ExecuteScalarAsync(Ended))!;
    }

    /// <summary>Fetches a job.</summary>
    /// <returns>The lines.</returns>
    public async Task<string[]> FetchAsync(string job, int exit = 0)
    {
        string name = $"{job}.jsonl";
        ToolResult result = await Tool.RunAsync("fetch", job, "-o", name, "--force");
        Assert.True(result.Exit == exit, result.Messages);
        return File.ReadAllLines(Tool.PathOf(name));
    }

    /// <summary>Returns lines without their times, which differ between runs.</summary>
    public static string[] WithoutTimes(IEnumerable<string> lines) =>
    [
        .. lines.Select(line =>
        {
            JsonNode node = JsonNode.Parse(line)!;
            JsonObject own = node["fastllm"]!.AsObject();
            foreach (string name in (string[])["at", "latency_ms", "limited_by"])
            {
                own.Remove(name);
            }

            return node.ToJsonString(new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        }),
    ];

    /// <summary>Asserts that an output has every row once, in input order.</summary>
    public static void AssertRows(IEnumerable<string> lines, int count) => Assert.Equal(
        Enumerable.Range(0, count).Select(i => $"row {i}"),
        lines.Select(line => JsonNode.Parse(line)!["custom_id"]!.GetValue<string>()));

    public async ValueTask DisposeAsync()
    {
        foreach (RunningTool worker in _workers)
        {
            worker.Dispose();
        }

        await Store.DisposeAsync();
        Tool.Dispose();
    }
}
