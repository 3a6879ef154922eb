using System.Globalization;
using FastLLM.Retries;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Checks;

/// <summary>Answers of earlier runs that do not pass the check: they are evidence as new ones are, and cost nothing.</summary>
public sealed class RejectedAnswersTests : EngineTest
{
    private static readonly AnswerCheck s_wrong = new(text => text == "yes" ? null : $"\"{text}\" is none of the labels.");
    private static readonly AnswerCheck s_right = new(text => text is "hi" or "yes" ? null : $"\"{text}\" is none of the labels.");

    [Theory]
    [InlineData(4, 30)]
    [InlineData(50, 30)]
    [InlineData(4, 13)]
    public async Task AllRejected_StopsEveryRun_AndLeavesTheRowsForTheRightCheck(int concurrency, int rows)
    {
        var cache = new InMemoryCache();
        var provider = new ScriptedAnswers(_ => "hi");
        int sent;
        do
        {
            sent = provider.Sends;
            LlmRunException stopped = await Assert.ThrowsAsync<LlmRunException>(() => RunAsync(provider, cache, concurrency, AskMany(rows), s_wrong));

            Assert.Equal(FailureKind.InvalidAnswer, stopped.Kind);
            Assert.Contains("were all rejected in the same way", stopped.Message, StringComparison.Ordinal);
        }
        while (provider.Sends > sent);

        Assert.All(await RunAsync(provider, cache, concurrency, AskMany(rows), s_right), outcome => Assert.True(outcome.IsSuccess && outcome.IsCacheHit));
        Assert.Equal(rows, provider.Requests.Count(request => request.Messages.Count == 1));
    }

    [Theory]
    [InlineData(15, true)] // one of an earlier run passes
    [InlineData(15, false)] // a new one passes
    [InlineData(9, null)] // too few, and no others
    public async Task RejectedOnTheirOwn_FailAndStopNothing(int rejected, bool? isCached)
    {
        var cache = new InMemoryCache();
        var provider = new ScriptedAnswers((request, _, _) => Task.FromResult(NumberOf(request) < rejected ? "hi" : "yes"));
        LlmRequest[] batch = AskMany(isCached is null ? rejected : 40);
        await RunAsync(provider, cache, 4, isCached == true ? batch : batch[..rejected], s_right);

        IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await RunAsync(provider, cache, 4, batch, s_wrong);

        Assert.Equal(Enumerable.Repeat(FailureKind.InvalidAnswer, rejected), outcomes.Where(outcome => !outcome.IsSuccess).Select(outcome => outcome.Error!.Kind));
        Assert.All(outcomes.Take(rejected), outcome => Assert.False(outcome.IsSuccess));
    }

    [Fact]
    public async Task AnswerOfAnEarlierRun_SaysNothingOfTheProvider()
    {
        var cache = new InMemoryCache();
        var refuses = false;
        var provider = new ScriptedAnswers((_, _, _) => refuses ? throw new LlmException(FailureKind.InvalidRequest, "Unknown parameter: 'x'.") : Task.FromResult("yes"));
        await RunAsync(provider, cache, 4, AskMany(5), s_right);
        refuses = true;

        LlmRunException stopped = await Assert.ThrowsAsync<LlmRunException>(() => RunAsync(provider, cache, 4, AskMany(60), s_right));

        Assert.Equal(FailureKind.InvalidRequest, stopped.Kind);
    }

    private async Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> RunAsync(
        ScriptedAnswers provider, InMemoryCache cache, int concurrency, LlmRequest[] batch, AnswerCheck check)
    {
        await using var manager = new RequestManager(
            provider, OnManualClock(o => (o.Concurrency, o.Cache, o.Timeout) = (concurrency, cache, Timeout.InfiniteTimeSpan)));
        return await RunClockAsync(manager.ProcessBatchAsync(batch, check, Ended));
    }

    private static int NumberOf(LlmRequest request) =>
        int.Parse(request.Messages[0].Content!.ToString().Split(' ')[1], CultureInfo.InvariantCulture);
}
