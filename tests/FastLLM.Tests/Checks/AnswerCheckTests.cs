using System.Text.Json;
using FastLLM.Retries;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Checks;

/// <summary>An answer that does not pass its check is corrected once, and nothing is paid twice for it.</summary>
public sealed class AnswerCheckTests : EngineTest
{
    private const decimal Price = 0.001m;

    private static readonly AnswerCheck s_number = new(text => int.TryParse(text, out _) ? null : $"\"{text}\" is not a number.", "Answer with a number.");

    private static readonly PriceTable s_prices = PriceTable.Create(new Dictionary<string, ModelPrice>
    {
        ["m"] = new() { Input = Price, Output = Price, MaxOutputTokens = 10 },
    });

    [Fact]
    public async Task ValidAnswer_IsSentOnce()
    {
        var provider = new ScriptedAnswers(_ => "42");
        await using var manager = new RequestManager(provider, Quick());

        var outcomes = await manager.ProcessBatchAsync([Ask(1)], s_number, Ended);

        Assert.Equal(("42", 1, false, 1), (TextOf(outcomes[0]), outcomes[0].Attempts, outcomes[0].IsCorrected, provider.Sends));
        Assert.Equal((1L, 0L), (manager.Stats.Sent, manager.Stats.Corrected));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task InvalidAnswer_IsCorrectedWithItsError(bool verbatim)
    {
        var provider = new ScriptedAnswers(last => last.Contains("not a number", StringComparison.Ordinal) ? "42" : "many");
        await using var manager = new RequestManager(provider, Quick(o => o.Prices = s_prices));
        LlmRequest request = verbatim
            ? LlmRequest.FromJson("""{"model":"m","seed":5,"messages":[{"role":"user","content":"How many?"}],"top_p":1}""")
            : LlmRequest.FromPrompt("test", "How many?", "m");

        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([request], s_number, Ended))[0];

        Assert.Equal(("42", 2, true), (TextOf(outcome), outcome.Attempts, outcome.IsCorrected));
        Assert.Equal((request.Key.ToString(), 14 * Price), (outcome.RequestId, outcome.Cost));
        TokenStats stats = manager.Stats;
        Assert.Equal((1L, 2L, 1L, 0L, 0L), (stats.RequestsCompleted, stats.Sent, stats.Corrected, stats.Retried, stats.Failed));
        Assert.Equal((14L, 14 * Price), (stats.TotalTokens, stats.Cost));
        using JsonDocument body = JsonDocument.Parse(provider.Requests.Single(sent => sent.Key != request.Key).Body);
        Assert.Equal(
            ["user: How many?", "assistant: many",
                "user: Your answer is not valid: \"many\" is not a number.\nAnswer with a number.\nAnswer again with the corrected answer only."],
            body.RootElement.GetProperty("messages").EnumerateArray()
                .Select(turn => $"{turn.GetProperty("role").GetString()}: {turn.GetProperty("content").GetString()}"));
        Assert.Equal(verbatim, body.RootElement.TryGetProperty("seed", out _));
    }

    [Fact]
    public async Task TwoInvalidAnswers_FailTheRequestWithBoth()
    {
        var provider = new ScriptedAnswers(last => last.StartsWith("Your", StringComparison.Ordinal) ? "lots" : "many");
        await using var manager = new RequestManager(provider, Quick(o => o.Prices = s_prices));

        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([Ask(1)], s_number, Ended))[0];

        Assert.Equal((FailureKind.InvalidAnswer, 2, 14 * Price), (outcome.Error!.Kind, outcome.Attempts, outcome.Cost));
        Assert.Equal("The corrected answer is not valid either: \"lots\" is not a number.", outcome.Error.Message);
        Assert.Equal(["many", "lots"], outcome.Error.Answers.Select(answer => ((ChatCompletion)answer).Text));
        Assert.Equal((2L, 1L, 1L, 14 * Price), (manager.Stats.Sent, manager.Stats.Corrected, manager.Stats.Failed, manager.Stats.Cost));
    }

    [Fact]
    public async Task LaterRun_SendsNothingAndJudgesAlike()
    {
        var cache = new InMemoryCache();
        LlmRequest[] batch = AskMany(3);
        // 0 is right at once, 1 when it is corrected, 2 never.
        var provider = new ScriptedAnswers((request, _, _) => Task.FromResult(
            request.Key == batch[0].Key || (request.Messages[0].Content!.ToString() == "question 1" && request.Messages.Count > 1) ? "1" : "no"));
        for (var run = 0; run < 2; run++)
        {
            await using var manager = new RequestManager(provider, Quick(o => o.Cache = cache));

            var outcomes = await manager.ProcessBatchAsync(batch, s_number, Ended);

            Assert.Equal([null, null, FailureKind.InvalidAnswer], outcomes.Select(outcome => outcome.Error?.Kind));
            Assert.Equal([false, true, false], outcomes.Select(outcome => outcome.IsCorrected));
            Assert.Equal([run == 1, run == 1, false], outcomes.Select(outcome => outcome.IsCacheHit));
            Assert.Equal(2, outcomes[2].Error!.Answers.Count);
            Assert.Equal((5, run == 0 ? 5L : 0L), (provider.Sends, manager.Stats.Sent));
            Assert.Equal(run == 0 ? 5 : 0, outcomes.Sum(outcome => outcome.Attempts));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task EqualRequests_ShareTheAnswerAndItsCorrection(bool cached)
    {
        var provider = new ScriptedAnswers(last => last.StartsWith("Your", StringComparison.Ordinal) ? "1" : "many");
        await using var manager = new RequestManager(provider, Quick(o => o.Cache = cached ? new InMemoryCache() : null));

        var outcomes = await manager.ProcessBatchAsync(Enumerable.Range(0, 500).Select(i => Ask(i % 5)), s_number, Ended);

        Assert.Equal((10, 10), (provider.Sends, outcomes.Sum(outcome => outcome.Attempts)));
        Assert.All(outcomes, outcome => Assert.Equal("1", TextOf(outcome)));
        Assert.Equal((500L, 10L, 5L), (manager.Stats.RequestsCompleted, manager.Stats.Sent, manager.Stats.Corrected));
    }

    [Fact]
    public async Task RequestWithoutTheCheck_DoesNotShareTheOutcome()
    {
        var sent = new TaskCompletionSource();
        var release = new TaskCompletionSource();
        var provider = new ScriptedAnswers(async (request, _, _) =>
        {
            sent.TrySetResult();
            await release.Task;
            return request.Messages.Count > 1 ? "1" : "many";
        });
        await using var manager = new RequestManager(provider, Quick());

        var withCheck = manager.ProcessBatchAsync([Ask(1)], s_number, Ended);
        await sent.Task;
        var without = manager.ProcessBatchAsync([Ask(1)], Ended);
        release.SetResult();

        Assert.Equal(("1", "many"), (TextOf((await withCheck)[0]), TextOf((await without)[0])));
    }

    [Fact]
    public async Task Budget_CoversTheCorrectionToo_AndALargerOneSendsOnlyThat()
    {
        var cache = new InMemoryCache();
        var provider = new ScriptedAnswers(last => last.StartsWith("Your", StringComparison.Ordinal) ? "1" : "many");
        LlmRequest request = Ask(1);
        var options = Quick(o => (o.Cache, o.Prices, o.Budget) = (cache, s_prices, WorstCase(request)));
        await using (var poor = new RequestManager(provider, options))
        {
            var stopped = await Assert.ThrowsAsync<LlmRunException>(() => poor.ProcessBatchAsync([request], s_number, Ended));

            Assert.Equal((FailureKind.BudgetExhausted, 1, 7 * Price), (stopped.Kind, provider.Sends, poor.Stats.Cost));
        }

        options.Budget = 1;
        await using var rich = new RequestManager(provider, options);
        ResponseWrapper<LlmResponse> outcome = (await rich.ProcessBatchAsync([request], s_number, Ended))[0];

        Assert.Equal(("1", 1, 7 * Price, 2), (TextOf(outcome), outcome.Attempts, outcome.Cost, provider.Sends));
    }

    [Theory]
    [InlineData("length", "cut off")]
    [InlineData("content_filter", "content filter")]
    public async Task CutAnswer_IsNotCorrected(string finishReason, string message)
    {
        var provider = new ScriptedAnswers(_ => "ma") { FinishReason = finishReason };
        await using var manager = new RequestManager(provider, Quick());

        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([Ask(1)], s_number, Ended))[0];

        Assert.Equal((FailureKind.InvalidAnswer, 1), (outcome.Error!.Kind, provider.Sends));
        Assert.Contains(message, outcome.Error.Message, StringComparison.Ordinal);
        Assert.Single(outcome.Error.Answers);
    }

    [Fact]
    public async Task CorrectionThatFails_IsRetriedLikeAnyRequest()
    {
        var provider = new ScriptedAnswers((request, nth, _) => request.Messages.Count == 1 ? Task.FromResult("many")
            : nth < 2 ? throw new LlmException(FailureKind.ServerError, "busy")
            : Task.FromResult("1"));
        await using var manager = new RequestManager(provider, Quick());

        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([Ask(1)], s_number, Ended))[0];

        Assert.Equal(("1", 3), (TextOf(outcome), outcome.Attempts));
        Assert.Equal((3L, 1L, 1L), (manager.Stats.Sent, manager.Stats.Corrected, manager.Stats.Retried));
    }

    [Fact]
    public async Task CorrectionThatNeverSucceeds_FailsWithItsOwnCause()
    {
        var provider = new ScriptedAnswers((request, _, _) => request.Messages.Count == 1 ? Task.FromResult("many")
            : throw new LlmException(FailureKind.ContextLength, "too long"));
        await using var manager = new RequestManager(provider, Quick(o => o.Prices = s_prices));

        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([Ask(1)], s_number, Ended))[0];

        Assert.Equal((FailureKind.ContextLength, 2, 7 * Price), (outcome.Error!.Kind, outcome.Attempts, outcome.Cost));
    }

    [Fact]
    public async Task CanceledWhileCorrecting_LeavesThePaidAnswerInTheCache()
    {
        var cache = new InMemoryCache();
        using var cancel = new CancellationTokenSource();
        var provider = new ScriptedAnswers(async (request, nth, token) =>
        {
            if (request.Messages.Count > 1 && nth == 1)
            {
                await cancel.CancelAsync();
                await Task.Delay(Timeout.InfiniteTimeSpan, token);
            }

            return request.Messages.Count > 1 ? "1" : "many";
        });
        var options = Quick(o => o.Cache = cache);
        await using (var manager = new RequestManager(provider, options))
        {
            await Assert.ThrowsAsync<LlmCanceledException>(() => manager.ProcessBatchAsync([Ask(1)], s_number, cancel.Token));
        }

        await using var again = new RequestManager(provider, options);
        Assert.Equal("1", TextOf((await again.ProcessBatchAsync([Ask(1)], s_number, Ended))[0]));
        Assert.Equal((1L, 3), (again.Stats.Sent, provider.Sends));
    }

    [Fact]
    public async Task RunThatStops_SendsNoCorrection()
    {
        var provider = new ScriptedAnswers((request, _, _) => request.Key == Ask(0).Key
            ? throw new LlmException(FailureKind.Cache, "no room")
            : Task.FromResult("many"));
        await using var manager = new RequestManager(provider, Quick(o => o.Concurrency = 1));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync(AskMany(3), s_number, Ended));

        Assert.Equal((FailureKind.Cache, 1), (stopped.Kind, provider.Sends));
    }

    [Fact]
    public async Task CheckThatThrows_IsAnErrorOfTheAnswer()
    {
        var provider = new ScriptedAnswers(_ => "many");
        await using var manager = new RequestManager(provider, Quick());

        var check = new AnswerCheck(text => int.Parse(text, System.Globalization.CultureInfo.InvariantCulture) > 0 ? null : "Not positive.");
        ResponseWrapper<LlmResponse> outcome = (await manager.ProcessBatchAsync([Ask(1)], check, Ended))[0];

        Assert.Contains("The check failed", outcome.Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TextWithHalfASurrogatePair_IsCorrectedAllTheSame()
    {
        var provider = new ScriptedAnswers(last => last.StartsWith("Your", StringComparison.Ordinal) ? "1" : "many");
        await using var manager = new RequestManager(provider, Quick());

        var check = new AnswerCheck(text => int.TryParse(text, out _) ? null : "bad \uD83D");
        Assert.Equal("1", TextOf((await manager.ProcessBatchAsync([Ask(1)], check, Ended))[0]));
    }

    [Fact]
    public async Task Stream_ChecksItsAnswersToo()
    {
        var provider = new ScriptedAnswers(last => last.StartsWith("Your", StringComparison.Ordinal) ? "1" : "many");
        await using var manager = new RequestManager(provider, Quick());
        var outcomes = new List<ResponseWrapper<LlmResponse>>();

        await foreach (var outcome in manager.ProcessAsync(AskMany(50).ToAsyncEnumerable(), s_number, Ended))
        {
            outcomes.Add(outcome);
        }

        Assert.Equal((50, 100), (outcomes.Count(outcome => TextOf(outcome) == "1"), provider.Sends));
    }

    [Fact]
    public async Task TenPercentBroken_TakesAtMostElevenSendsForTenRows()
    {
        var provider = new ScriptedAnswers((request, _, _) => Task.FromResult(request.Key.GetHashCode() % 10 == 0 ? "broken" : "1"));
        await using var manager = new RequestManager(provider, Quick());

        var outcomes = await manager.ProcessBatchAsync(AskMany(10_000), s_number, Ended);

        Assert.InRange(provider.Sends, 10_500, 11_200);
        Assert.All(outcomes, outcome => Assert.True(outcome.IsSuccess || outcome.Error!.Kind == FailureKind.InvalidAnswer));
        Assert.InRange(outcomes.Count(outcome => !outcome.IsSuccess), 20, 250);
    }

    private static string? TextOf(ResponseWrapper<LlmResponse> outcome) => ((ChatCompletion)outcome.Response).Text;

    private static decimal WorstCase(LlmRequest request)
    {
        Assert.Null(new global::FastLLM.Costs.CostMeter(s_prices).Bound(request, out decimal most));
        return most;
    }
}
