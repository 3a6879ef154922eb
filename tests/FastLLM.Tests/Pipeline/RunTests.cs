using FastLLM.Costs;
using FastLLM.Pipeline;
using FastLLM.Retries;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>Runs that a job opens: each has its own counts, costs and announcements, and its outcomes have their final scope.</summary>
public sealed class RunTests : EngineTest
{
    private static readonly PriceTable s_prices = PriceTable.Create(new Dictionary<string, ModelPrice> { ["m"] = new() { Input = 0.1m, Output = 0.1m, MaxOutputTokens = 1 } });

    [Theory]
    [InlineData(null)]
    [InlineData(1_000_000)]
    public async Task TwoRunsOfOneManager_ReportTheirOwnCostsAndCounts(int? budget)
    {
        await using var manager = new RequestManager<string>(new Billing(0.5m), Quick(o => (o.Prices, o.Budget) = (s_prices, budget)));
        StreamRun<string> first = Open(manager, AskMany(10)), second = Open(manager, [.. AskMany(40).Skip(10)]);

        await Task.WhenAll(EndAsync(first), EndAsync(second));

        Assert.Equal((10L, 5m), (first.Stats.Sent, first.Cost()));
        Assert.Equal((30L, 15m), (second.Stats.Sent, second.Cost()));
        Assert.Equal((40L, 20m), (manager.Stats.Sent, manager.Stats.Cost));
    }

    [Fact]
    public async Task EarlierCosts_CountAgainstTheBudgetOfTheirRunOnly()
    {
        await using var manager = new RequestManager<string>(new Billing(0.5m), Quick(o => (o.Prices, o.Budget) = (s_prices, 1_000)));

        StreamRun<string> resumed = Open(manager, AskMany(1), new RunSettings { EarlierCost = 999.9m });
        LlmRunException stopped = await Assert.ThrowsAsync<LlmRunException>(() => EndAsync(resumed));
        await EndAsync(Open(manager, AskMany(1)));

        Assert.Equal(FailureKind.BudgetExhausted, stopped.Kind);
        Assert.Contains("999.9", stopped.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task HeldSuspects_WhenOneRequestIsAnswered_HaveFailedByThemselves()
    {
        var provider = new ScriptedProvider((request, _, _) => request == Ask(5) ? Task.FromResult("fine") : throw Refusal());
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));

        List<ResponseWrapper<string>> outcomes = await EndAsync(Open(manager, AskMany(20), new RunSettings { HoldsSuspects = true }));

        Assert.Equal(Enumerable.Range(0, 20).Select(i => (long)i), outcomes.Select(outcome => outcome.OrderId).Order());
        Assert.All(outcomes.Where(outcome => !outcome.IsSuccess), outcome => Assert.Equal(FailureScope.Request, outcome.Error!.FailureScope));
    }

    [Fact]
    public async Task HeldSuspects_WhenAllRequestsFailAlike_AreTheRuns()
    {
        await using var manager = new RequestManager<string>(new ScriptedProvider((_, _, _) => throw Refusal()), Quick(o => o.Concurrency = 3));
        StreamRun<string> run = Open(manager, AskMany(200), new RunSettings { HoldsSuspects = true });
        List<ResponseWrapper<string>> outcomes = [];

        LlmRunException stopped = await Assert.ThrowsAsync<LlmRunException>(() => EndAsync(run, outcomes));

        Assert.Equal(FailureKind.InvalidRequest, stopped.Kind);
        Assert.True(outcomes.Count(outcome => outcome.Error!.Kind == FailureKind.InvalidRequest) >= SharedFailureDetector.Enough);
        Assert.All(outcomes.Where(outcome => outcome.Error!.Kind == FailureKind.InvalidRequest), outcome => Assert.Equal(FailureScope.Run, outcome.Error!.FailureScope));
    }

    [Fact]
    public async Task HeldSuspects_MoreEqualRowsThanTheWindow_AllGetTheirOutcome()
    {
        await using var manager = new RequestManager<string>(new ScriptedProvider((_, _, _) => throw Refusal()), Quick(o => o.Concurrency = 2));

        List<ResponseWrapper<string>> outcomes = await EndAsync(Open(manager, [.. Enumerable.Repeat(Ask(1), 3000)], new RunSettings { HoldsSuspects = true }));

        Assert.Equal(3000, outcomes.Count);
        Assert.All(outcomes, outcome => Assert.Equal((FailureKind.InvalidRequest, FailureScope.Request), (outcome.Error!.Kind, outcome.Error.FailureScope)));
    }

    [Fact]
    public async Task SuspectsOfADrainedRun_StayPending()
    {
        using var drain = new CancellationTokenSource();
        var provider = new ScriptedProvider((_, _, _) =>
        {
            drain.Cancel();
            throw Refusal();
        });
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));
        List<ResponseWrapper<string>> outcomes = [];

        await Assert.ThrowsAsync<LlmRunException>(() => EndAsync(Open(manager, AskMany(5), new RunSettings { Drain = drain.Token, HoldsSuspects = true }), outcomes));

        Assert.Equal(FailureScope.Run, Assert.Single(outcomes).Error!.FailureScope);
    }

    [Fact]
    public async Task OneExceptionThrownForManyRequests_IsNotChanged()
    {
        var shared = new LlmException(FailureKind.ContextLength, "too long");
        var provider = new ScriptedProvider((_, nth, _) => nth == 1 ? throw new LlmException(FailureKind.ServerError, "500") : throw shared);
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 4));

        IReadOnlyList<ResponseWrapper<string>> outcomes = await manager.ProcessBatchAsync(AskMany(20), Ended);

        Assert.All(outcomes, outcome => Assert.Equal(2, outcome.Error!.Attempts));
        Assert.Equal(0, shared.Attempts);
    }

    private static StreamRun<string> Open(RequestManager<string> manager, LlmRequest[] rows, RunSettings? settings = null) =>
        manager.Open(rows.ToAsyncEnumerable(), settings ?? new RunSettings(), Ended);

    private static async Task<List<ResponseWrapper<string>>> EndAsync(StreamRun<string> run, List<ResponseWrapper<string>>? outcomes = null)
    {
        outcomes ??= [];
        await foreach (ResponseWrapper<string> outcome in run.Outcomes)
        {
            outcomes.Add(outcome);
        }

        return outcomes;
    }

    private static LlmException Refusal() => new(FailureKind.InvalidRequest, "unknown parameter") { StatusCode = 400 };

    private sealed class Billing(decimal cost) : Provider<string>("", "http://billing.test/v1")
    {
        public override IReadOnlyDictionary<string, string> GetRequestHeaders() => new Dictionary<string, string>();

        public override Task<string> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default) =>
            Task.FromResult("fine");

        public override decimal? GetCost(string response) => cost;
    }
}
