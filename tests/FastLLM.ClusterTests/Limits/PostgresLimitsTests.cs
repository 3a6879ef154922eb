using FastLLM.Cluster.Limits;
using FastLLM.RateLimiting;
using FastLLM.Simulator;
using FastLLM.TestKit.Servers;
using Xunit;

namespace FastLLM.ClusterTests.Limits;

/// <summary>Limits that several workers share through a real database.</summary>
public sealed class PostgresLimitsTests(SharedServers servers)
{
    private const string Endpoint = "https://provider.example/v1";

    private static int _at;

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reports_OfManyWorkersAtOnce_AreNeverGrantedMoreThanTheLimit()
    {
        await using ClusterStore store = await NewStoreAsync();
        var granted = new double[8];
        await Task.WhenAll(Enumerable.Range(0, granted.Length).Select(async worker =>
        {
            var limits = new PostgresLimits(store);
            for (var i = 0; i < 5; i++)
            {
                // Each time, all that was granted was just sent.
                var sent = new double[PermitReport.Steps];
                sent[0] = granted[worker];
                MemberReport report = Report($"worker {worker}", new PermitReport(100, sent, 0, 0, Permits.Unlimited, 1));
                IReadOnlyList<ModelGrant> grants = await limits.ReportAsync([report], leaves: false, Ended);
                granted[worker] += grants[0].Permits[0]!.Amount;
            }
        }));

        Assert.InRange(granted.Sum(), 1, 100);
    }

    [Fact]
    public async Task Leave_WorkerThatLearns_IsFollowedByAnother()
    {
        await using ClusterStore store = await NewStoreAsync();
        var limits = new PostgresLimits(store);
        Assert.True((await ReportAsync("one", false)).Leads);
        Assert.False((await ReportAsync("two", false)).Leads);
        Assert.False((await ReportAsync("one", true)).Leads);
        LearnedGrant two = await ReportAsync("two", false);

        Assert.Equal((true, 1.0), (two.Leads, two.Share));

        async Task<LearnedGrant> ReportAsync(string worker, bool leaves) =>
            (await limits.ReportAsync([Report(worker, null)], leaves, Ended))[0].Learned;
    }

    [Fact]
    public async Task Learned_OfAllWorkers_IsWhatWatchersRead()
    {
        await using ClusterStore store = await NewStoreAsync();
        var limits = new PostgresLimits(store);
        var reader = new LearnedLimitsReader(store);
        await ReportAsync("one", new LearnedReport(false, false, null, null, 0, Permits.Unlimited, 30, 0));
        await ReportAsync("two", new LearnedReport(false, false, null, null, 0, Permits.Unlimited, 20, 0));
        Assert.Empty(await reader.ReadAsync(Endpoint, Ended));
        await ReportAsync("one", new LearnedReport(true, true, null, 15, 0, Permits.Unlimited, 30, 0));

        LearnedLimits learned = Assert.Single(await reader.ReadAsync(Endpoint, Ended));
        Assert.Equal(("m", 50.0, null), (learned.Model, Math.Round(learned.RequestsPerSecond!.Value, 3), learned.InFlight));
        Assert.Empty(await reader.ReadAsync("https://other.example/v1", Ended));

        Task ReportAsync(string worker, LearnedReport report) => limits.ReportAsync(
            [new MemberReport(Endpoint, worker, new ModelReport("m", Interlocked.Increment(ref _at), [], null, 0, report))], leaves: false, Ended);
    }

    [Fact]
    public async Task Managers_ThatShareALimit_SendWhatIsGranted()
    {
        await using ClusterStore store = await NewStoreAsync();
        await using SimulatorServer simulator = await SimulatorServer.StartAsync(new SimulatorOptions(), Ended);
        int[] answered = await Task.WhenAll(Enumerable.Range(0, 3).Select(async worker =>
        {
            var options = new RequestManagerOptions { RateLimits = new RateLimits { RequestsPerMinute = 3_000, TokensPerMinute = 10_000_000 } };
            var provider = new OpenAIProvider("key", simulator.ApiBase);
            await using var manager = new RequestManager(provider, options);
            await using var limits = new SharedLimits(new PostgresLimits(store), TimeProvider.System, static _ => { });
            await using IAsyncDisposable share = limits.Join(manager.Limiters, Endpoint);
            LlmRequest[] rows = [.. Enumerable.Range(0, 20).Select(row => Row(worker, row))];
            return (await manager.ProcessBatchAsync(rows, Ended)).Count(static outcome => outcome.IsSuccess);
        }));

        Assert.All(answered, static count => Assert.Equal(20, count));
        await using var command = store.Command("select count(*), count(distinct model) from fastllm.limit_shares");
        await using var reader = await command.ExecuteReaderAsync(Ended);
        Assert.True(await reader.ReadAsync(Ended));
        Assert.Equal((3L, 1L), (reader.GetInt64(0), reader.GetInt64(1)));
    }

    private static MemberReport Report(string worker, PermitReport? requests) =>
        new(Endpoint, worker, new ModelReport("m", Interlocked.Increment(ref _at), [requests], null, 0, new LearnedReport(false, false, null, null, 0, Permits.Unlimited, 0, 0)));

    private static LlmRequest Row(int worker, int row) =>
        LlmRequest.FromJson($$"""{"model":"m","max_completion_tokens":10,"messages":[{"role":"user","content":"row {{worker}} {{row}}"}]}""");

    private async Task<ClusterStore> NewStoreAsync()
    {
        var store = new ClusterStore(await servers.CreateDatabaseAsync());
        await store.InitializeAsync(Ended);
        return store;
    }
}
