using System.Text;
using FastLLM.Costs;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Microsoft.Extensions.Logging;
using Xunit;

namespace FastLLM.Tests.Jobs;

/// <summary>What an answer costs is known from plausible usage only; under a budget, any other answer stays charged with its worst case.</summary>
public sealed class UsageTests : EngineTest
{
    private const decimal Price = 0.000001m;

    private static readonly PriceTable s_prices =
        PriceTable.Create(new Dictionary<string, ModelPrice> { ["m"] = new() { Input = Price, Output = Price } });

    /// <summary>The usage of an answer, and what it costs in tokens; nothing if it is not plausible.</summary>
    public static TheoryData<string, long?> Usages => new()
    {
        { """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}""", 15 },
        { """{"prompt_tokens":10.0,"completion_tokens":5e0}""", 15 },
        { """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":40}""", 40 },
        { """{"total_tokens":40}""", 40 },
        { """{"prompt_tokens":10,"completion_tokens":0,"total_tokens":40}""", 40 },
        { """{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8,"prompt_tokens_details":{"cached_tokens":1000}}""", 1008 },
        { """{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":500}}""", 515 },
        { """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":515,"completion_tokens_details":{"reasoning_tokens":500}}""", 515 },
        { """{"prompt_tokens":10,"completion_tokens":0,"total_tokens":10}""", null },
        { """{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":99999999999}}""", null },
        { "{}", null },
        { "null", null },
        { "[]", null },
        { """{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}""", null },
        { """{"prompt_tokens":"10","completion_tokens":"5"}""", null },
        { """{"prompt_tokens":null,"completion_tokens":null}""", null },
        { """{"prompt_tokens":10,"completion_tokens":null}""", null },
        { """{"prompt_tokens":10}""", null },
        { """{"completion_tokens":5}""", null },
        { """{"prompt_tokens":-10,"completion_tokens":5}""", null },
        { """{"prompt_tokens":10,"completion_tokens":5.5}""", null },
        { """{"prompt_tokens":10,"completion_tokens":99999999999}""", null },
        { """{"prompt_tokens":10,"completion_tokens":5,"total_tokens":1e30}""", null },
    };

    [Theory]
    [MemberData(nameof(Usages))]
    public async Task Answer_UnderABudget_IsChargedByItsUsageOrItsWorstCase(string usage, long? tokens)
    {
        await using FaultServer server = Server(usage);
        var log = new List<string>();
        await using RequestManager manager = Manager(server, log, budget: 1);

        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([Ask()], Ended))[0];

        TokenUpperBound most = TokenUpperBound.Of(Ask());
        Assert.Equal((tokens ?? (most.Input + most.Output)) * Price, outcome.Cost);
        Assert.Equal(tokens is null ? 1 : 0, log.Count(line => line.Contains("no plausible token usage", StringComparison.Ordinal)));
    }

    [Theory]
    [MemberData(nameof(Usages))]
    public async Task Answer_WithoutABudget_HasAnUnknownCostIfItsUsageIsNotPlausible(string usage, long? tokens)
    {
        await using FaultServer server = Server(usage);
        await using RequestManager manager = Manager(server, [], budget: null);

        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([Ask()], Ended))[0];

        Assert.Equal(tokens * Price, outcome.Cost);
        Assert.Equal(tokens is null ? 1 : 0, manager.Stats.Unpriced);
    }

    [Theory]
    [InlineData("""{"status":"completed","output":[],"usage":{"input_tokens":5,"output_tokens":1,"total_tokens":6}}""", true)]
    [InlineData("""{"status":"completed","output":[],"usage":{"input_tokens":5,"output_tokens":0,"total_tokens":5}}""", false)]
    [InlineData("""{"status":"completed","output":[],"usage":{"input_tokens":5}}""", false)]
    public void Usage_OfAnEndedResponse_HasAnOutput(string body, bool isPlausible) =>
        Assert.Equal(isPlausible, LlmResponse.FromBody(Encoding.UTF8.GetBytes(body)).Usage!.IsPlausible);

    [Fact]
    public async Task UsageAboveTheWorstCase_IsChargedAndReservedForTheNext()
    {
        await using FaultServer server = Server("""{"prompt_tokens":10,"completion_tokens":5000}""");
        var log = new List<string>();
        await using RequestManager manager = Manager(server, log, budget: 0.012m);

        LlmRunException stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync(
            Enumerable.Range(0, 20).Select(i => Ask() with { Sample = i }), Ended));

        // Each costs $0.00501. Two fit, and the third is not sent, although its own worst case is a tenth of that.
        Assert.Equal((FailureKind.BudgetExhausted, 2), (stopped.Kind, server.Requests.Count));
        Assert.Equal(2 * 0.00501m, manager.Stats.Cost);
        Assert.Single(log, line => line.Contains("more than its worst case", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true, "lower max_completion_tokens or max_tokens")]
    [InlineData(false, "It sets no limit")]
    public async Task BudgetThatDoesNotCoverARequest_NamesItsWorstCaseAndWhatBoundsIt(bool isLimited, string advice)
    {
        await using FaultServer server = Server("{}");
        var prices = PriceTable.Create(new Dictionary<string, ModelPrice> { ["m"] = new() { Input = Price, Output = Price, MaxOutputTokens = 16_000 } });
        await using RequestManager manager = Manager(server, [], budget: 0.0001m, prices);
        LlmRequest request = isLimited ? Ask() : LlmRequest.FromJson("""{"model":"m","messages":[{"role":"user","content":"?"}]}""");

        LlmRunException stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync([request], Ended));

        Assert.Contains(advice, stopped.Message, StringComparison.Ordinal);
        Assert.Contains(isLimited ? "200 of its answer" : "16,000 of its answer", stopped.Message, StringComparison.Ordinal);
    }

    private static LlmRequest Ask() => LlmRequest.FromJson("""{"model":"m","messages":[{"role":"user","content":"?"}],"max_tokens":200}""");

    private static FaultServer Server(string usage) => FaultServer.Start((_, connection) => connection.RespondAsync(200, Encoding.UTF8.GetBytes(
        $$"""{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{{usage}}}""")));

    private static RequestManager Manager(FaultServer server, List<string> log, decimal? budget, PriceTable? prices = null) =>
        new(new OpenAIProvider("", server.ApiBase), Quick(o =>
            (o.Prices, o.Budget, o.Concurrency, o.Logger) = (prices ?? s_prices, budget, 1, new ListLogger(log))));

    private sealed class ListLogger(List<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                lock (lines)
                {
                    lines.Add(formatter(state, exception));
                }
            }
        }
    }
}
