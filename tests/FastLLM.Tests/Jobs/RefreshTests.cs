using System.Text;
using System.Text.Json;
using FastLLM.Jobs.Output;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs;

/// <summary>A refresh that ends early is continued by the same command: each row is requested again once.</summary>
public sealed class RefreshTests : EngineTest, IDisposable
{
    private const int Rows = 6;
    private static readonly string[] s_all = [RequestManagerOptions.AnyFinishReason];

    private readonly TemporaryFolder _folder = new();
    private readonly ManualTimeProvider _time = new();
    private readonly List<string> _notices = [];
    private readonly FaultServer _server;
    private int _fails;

    public RefreshTests()
    {
        _server = FaultServer.Start((request, connection) => _fails > 0
            ? connection.RespondAsync(400, """{"error":{"message":"no","type":"invalid_request_error"}}"""u8.ToArray())
            : connection.RespondAsync(200, Answer(request.Text)));
        File.WriteAllLines(_folder.In("in.jsonl"), Enumerable.Range(0, Rows).Select(i =>
            $$$"""{"custom_id":"r{{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"q{{{i}}}"}]}}"""));
    }

    private string Output => _folder.In("out.jsonl");

    private string Journal => Output + RefreshJournal.Suffix;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("*", true)]
    [InlineData("*", false)]
    [InlineData("stop", true)]
    public async Task RunAsync_RefreshEndsEarly_TheNextRunRequestsTheRest(string reason, bool cached)
    {
        using var cache = new SharedCache(cached);
        await RunAsync(cache: cache.Cache);
        _time.Advance(TimeSpan.FromHours(1));

        JobResult first = await RunAsync([reason], o => o.MaxSends = 2, cache.Cache);
        Assert.Equal((2L, Rows + 2, true), (first.Answered, _server.Requests.Count, File.Exists(Journal)));
        _time.Advance(TimeSpan.FromHours(1));
        JobPlan plan = await PlanAsync([reason], cache.Cache);
        JobResult second = await RunAsync([reason], o => o.MaxSends = 1, cache.Cache);
        JobResult last = await RunAsync([reason], cache: cache.Cache);

        Assert.Equal((2L, 4L), (plan.Kept, plan.ToSend));
        Assert.Equal((2L, 1L, 3L, 3L), (second.Kept, second.Answered, last.Kept, last.Answered));
        Assert.Equal((2 * Rows, false, 0L), (_server.Requests.Count, File.Exists(Journal), last.Pending));
        Assert.Contains(_notices, notice => notice.Contains("is not done and is continued", StringComparison.Ordinal));
        Assert.Contains(_notices, notice => notice.StartsWith("3 rows of ", StringComparison.Ordinal) && notice.Contains("--refresh", StringComparison.Ordinal));

        _time.Advance(TimeSpan.FromHours(1));
        await RunAsync([reason], cache: cache.Cache);
        Assert.Equal(3 * Rows, _server.Requests.Count); // it was done: this is a new one
    }

    [Theory]
    [InlineData("length", true)]
    [InlineData("max_output_tokens", false)]
    public async Task RunAsync_CutResponses_AreCountedAndRequestedAgain(string reason, bool cached)
    {
        await File.WriteAllLinesAsync(_folder.In("in.jsonl"), Enumerable.Range(0, 2).Select(i =>
            $$$"""{"custom_id":"r{{{i}}}","method":"POST","url":"/v1/responses","body":{"model":"m","input":"q{{{i}}}"}}"""), Ended);
        using var cache = new SharedCache(cached);

        JobResult first = await RunAsync(cache: cache.Cache);
        _time.Advance(TimeSpan.FromHours(1));
        JobResult again = await RunAsync([reason], cache: cache.Cache);

        Assert.Equal((2L, 1L), (first.Answered, first.FinishReasons["length"]));
        Assert.Equal((1L, 1L, 3), (again.Kept, again.Answered, _server.Requests.Count));
    }

    [Fact]
    public async Task RunAsync_KilledBeforeTheJournalIsDeleted_SendsNothingMore()
    {
        await RunAsync();
        await RunAsync(s_all, o => o.MaxSends = 2);
        byte[] journal = await File.ReadAllBytesAsync(Journal, Ended);
        await RunAsync(s_all);
        await File.WriteAllBytesAsync(Journal, journal, Ended); // the output is sorted

        JobResult again = await RunAsync(s_all);

        Assert.Equal((2 * Rows, (long)Rows, false), (_server.Requests.Count, again.Kept, File.Exists(Journal)));
    }

    [Fact]
    public async Task RunAsync_KilledBeforeARecord_TakesTheAnswerFromTheCache()
    {
        await using var cache = new InMemoryCache();
        await RunAsync(cache: cache);
        _time.Advance(TimeSpan.FromHours(1));
        await RunAsync(s_all, o => o.MaxSends = 2, cache);
        string[] lines = await File.ReadAllLinesAsync(Output, Ended);
        await File.WriteAllLinesAsync(Output, lines[..^1], Ended); // the answer was recorded in the cache, but not yet in the output
        _time.Advance(TimeSpan.FromHours(1));

        JobPlan plan = await PlanAsync(s_all, cache);
        JobResult rest = await RunAsync(s_all, cache: cache);

        Assert.Equal((1L, 1L, 4L), (plan.Kept, plan.Cached, plan.ToSend));
        Assert.Equal((2 * Rows, 1L), (_server.Requests.Count, rest.Stats.CacheHits));
    }

    [Fact]
    public async Task RunAsync_ClockGoesBack_TheRefreshIsContinued()
    {
        await RunAsync();
        await RunAsync(s_all, o => o.MaxSends = 2, time: new ManualTimeProvider(_time.GetUtcNow().AddYears(1)));
        await RunAsync(s_all);

        Assert.Equal(2 * Rows, _server.Requests.Count);
    }

    [Fact]
    public async Task RunAsync_AnotherRule_KeepsWhatBothHaveDone()
    {
        await RunAsync();
        await RunAsync(s_all, o => o.MaxSends = 2);
        await RunAsync(["length", "stop"], o => o.MaxSends = 1);
        await RunAsync(["stop", "length"]); // the order of reasons does not matter
        Assert.Equal(2 * Rows + 2, _server.Requests.Count);

        await RunAsync(s_all);
        Assert.Equal((2 * Rows + 2, false), (_server.Requests.Count, File.Exists(Journal))); // every row was requested since
    }

    [Fact]
    public async Task RunAsync_WithoutRefreshMeanwhile_RowsOfThatRunAreDone()
    {
        await RunAsync(change: o => o.Limit = 4);
        await RunAsync(s_all, o => (o.Limit, o.MaxSends) = (4, 1));
        await RunAsync();
        Assert.Equal((7, true), (_server.Requests.Count, File.Exists(Journal)));

        await RunAsync(s_all);
        Assert.Equal(10, _server.Requests.Count); // three of the first four
    }

    [Fact]
    public async Task RunAsync_Fresh_ForgetsTheRefreshAndIsContinuedItself()
    {
        await RunAsync();
        await RunAsync(s_all, o => o.MaxSends = 2);
        await RunAsync(s_all, o => (o.Fresh, o.MaxSends) = (true, 1));
        await RunAsync(s_all);

        Assert.Equal((Rows + 2 + Rows, false), (_server.Requests.Count, File.Exists(Journal)));
    }

    [Fact]
    public async Task RunAsync_JournalIsDamaged_IsRefusedBeforeTheFirstSend()
    {
        await RunAsync();
        await File.WriteAllTextAsync(Journal, "{\"*\":{\"num", Ended);
        IOException refused = await Assert.ThrowsAsync<IOException>(() => RunAsync(s_all));

        Assert.Contains("Delete it", refused.Message, StringComparison.Ordinal);
        await File.WriteAllBytesAsync(Journal, new byte[100], Ended); // as a power loss leaves it
        await RunAsync(s_all);
        Assert.Equal(2 * Rows, _server.Requests.Count);
    }

    [Fact]
    public async Task RunAsync_PartialOfAnUnfinishedRefresh_CountsEveryAnswer()
    {
        await RunAsync();
        await RunAsync(s_all, o => o.MaxSends = 2);
        await using RequestManager manager = Manager(s_all, null, _time);
        JobResult partial = await Job.WritePartialAsync(manager, Options(), Ended);

        Assert.Equal((Rows, 0L), (partial.Kept, partial.Pending));
    }

    [Fact]
    public async Task RunAsync_RowsOfThePreview_AreNotSentAgain()
    {
        _fails = 1;
        await RunAsync();
        _fails = 0;
        JobOptions options = Options(o => o.RetryFailed = true);
        await using RequestManager manager = Manager(s_all, null, _time);
        JobPlan plan = await Job.PlanAsync(manager, options, Ended);
        options.MaxSends = 2;
        options.OnRowWritten = (id, _) => options.SettledRows = new HashSet<string>(options.SettledRows ?? new HashSet<string>()) { id };
        _fails = 1;
        JobResult shown = await Job.RunAsync(plan, manager, options, CancellationToken.None, Ended);
        options.MaxSends = null;
        JobResult rest = await Job.RunAsync(plan, manager, options, CancellationToken.None, Ended);
        JobResult whole = rest.After(shown);

        Assert.Equal((2 * Rows, (long)Rows, (long)Rows), (_server.Requests.Count, whole.Failed, whole.Stats.Sent));
        Assert.Equal(Rows, whole.Failures.Values.Sum(failures => failures.Count));
    }

    private static byte[] Answer(string request)
    {
        JsonElement body = JsonDocument.Parse(request[request.IndexOf('{')..]).RootElement;
        if (body.TryGetProperty("input", out JsonElement input))
        {
            return input.GetString() == "q0"
                ? """{"object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}"""u8.ToArray()
                : """{"object":"response","status":"completed","incomplete_details":null,"output":[]}"""u8.ToArray();
        }

        string question = body.GetProperty("messages")[0].GetProperty("content").GetString()!;
        return Encoding.UTF8.GetBytes(
            $$"""{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"answer {{question}}!"},"finish_reason":"stop"}]}""");
    }

    private async Task<JobResult> RunAsync(
        string[]? refresh = null, Action<JobOptions>? change = null, CacheProvider? cache = null, TimeProvider? time = null)
    {
        _notices.Clear();
        await using RequestManager manager = Manager(refresh ?? [], cache, time ?? _time);
        return await Job.RunAsync(manager, Options(change), CancellationToken.None, Ended);
    }

    private async Task<JobPlan> PlanAsync(string[] refresh, CacheProvider? cache)
    {
        await using RequestManager manager = Manager(refresh, cache, _time);
        return await Job.PlanAsync(manager, Options(), Ended);
    }

    private RequestManager Manager(string[] refresh, CacheProvider? cache, TimeProvider time) =>
        new(new OpenAIProvider("", _server.ApiBase), Quick(o =>
        {
            (o.RefreshFinishReasons, o.Cache, o.TimeProvider, o.Concurrency, o.MaxErrorShare) = (refresh, cache, time, 1, 1);
        }));

    private JobOptions Options(Action<JobOptions>? change = null)
    {
        var options = new JobOptions { Input = _folder.In("in.jsonl"), Output = Output, OnNotice = _notices.Add };
        change?.Invoke(options);
        return options;
    }

    private sealed class SharedCache(bool isUsed) : IDisposable
    {
        public CacheProvider? Cache { get; } = isUsed ? new InMemoryCache() : null;

        public void Dispose() => Cache?.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
