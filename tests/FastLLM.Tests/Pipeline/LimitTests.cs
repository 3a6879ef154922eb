using FastLLM.Pipeline;
using FastLLM.Retries;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>What limits mean for the rows of a run.</summary>
public sealed class LimitTests : EngineTest
{
    [Fact]
    public async Task ARowThatFitsNoMinute_FailsAlone_AndIsNotSent()
    {
        var provider = ScriptedProvider.Echo();
        await using var manager = new RequestManager<string>(provider, Quick(o => o.RateLimits = new RateLimits { TokensPerMinute = 1_000_000 }));
        LlmRequest large = Ask(1) with { MaxCompletionTokens = 2_000_000 };

        IReadOnlyList<ResponseWrapper<string>> outcomes = await manager.ProcessBatchAsync([Ask(0), large], Ended);

        Assert.True(outcomes[0].IsSuccess);
        Assert.Equal((FailureKind.RequestTooLarge, 0), (outcomes[1].Error!.Kind, outcomes[1].Attempts));
        Assert.Equal(1, provider.Sends);
    }

    [Theory]
    [InlineData(1, 5)]
    [InlineData(10, 1)] // a row that has its place of the day, and is not sent yet when the run stops, stays pending
    public async Task TheDaysRequestsThatAreUsedUp_StopTheRun_WithAllThatWasAnswered(int concurrency, int least)
    {
        var provider = ScriptedProvider.Echo();
        await using var manager = new RequestManager<string>(provider, OnManualClock(o =>
        {
            o.Concurrency = concurrency;
            o.RateLimits = new RateLimits { RequestsPerDay = 5 };
        }));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync(AskMany(50), Ended));

        Assert.Equal(FailureKind.DailyLimit, stopped.Kind);
        Assert.InRange(provider.Sends, least, 5);
        Assert.Equal(provider.Sends, stopped.Responses.Count(response => response.IsSuccess));
        Assert.Contains("RequestsPerDay", stopped.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RefusedModel_DoesNotHoldUpAnother()
    {
        TimeSpan wait = TimeSpan.FromMinutes(1); // the last rows of a run do not wait much longer
        var provider = new ScriptedProvider((request, _, _) => request.Model == "busy" && Time.Elapsed < wait
            ? throw new LlmException(FailureKind.RateLimited, "429") { RetryAfter = wait }
            : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => o.Concurrency = 1));
        LlmRequest[] busy = [.. AskMany(100).Select(request => request with { Model = "busy" })];
        LlmRequest[] idle = [.. AskMany(20).Select(request => request with { Model = "idle" })];

        await using var outcomes = manager.ProcessAsync(busy.Concat(idle).ToAsyncEnumerable(), Ended).GetAsyncEnumerator(Ended);
        var answered = await TakeAsync(outcomes, 20);

        Assert.InRange(provider.Sends, 21, 45); // where nothing is known yet, some refusals in a row may be chance
        Assert.All(answered.Concat(await RunClockAsync(TakeAsync(outcomes, 100))), outcome => Assert.True(outcome.IsSuccess));
    }

    [Fact]
    public async Task RetryAfter_HoldsItsOwnRequestOnly()
    {
        var sentAt = new Dictionary<LlmRequest, List<TimeSpan>>();
        var provider = new ScriptedProvider((request, nth, _) =>
        {
            sentAt.TryAdd(request, []);
            sentAt[request].Add(Time.Elapsed);
            return request == Ask(0) && nth == 1
                ? throw new LlmException(FailureKind.RateLimited, "429") { RetryAfter = TimeSpan.FromSeconds(30) }
                : Task.FromResult("fine");
        });
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => o.Concurrency = 1));

        await using var outcomes = manager.ProcessAsync(AskMany(20).ToAsyncEnumerable(), Ended).GetAsyncEnumerator(Ended);
        await TakeAsync(outcomes, 19); // while time stands still
        await Time.WaitForTimersAsync(1, Ended);
        Time.Advance(TimeSpan.FromSeconds(29));
        Assert.Single(sentAt[Ask(0)]);
        Time.Advance(TimeSpan.FromSeconds(11));
        await TakeAsync(outcomes, 1);

        Assert.Equal(2, sentAt[Ask(0)].Count);
        Assert.InRange(sentAt[Ask(0)][1], TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(40));
    }

    [Fact]
    public async Task ABusyModelsRows_AreTakenOnlyAsFarAheadAsMemoryAllows()
    {
        var provider = new ScriptedProvider((request, _, _) => request.Model == "idle"
            ? Task.FromResult("fine")
            : throw new LlmException(FailureKind.RateLimited, "429") { RetryAfter = TimeSpan.FromMinutes(10) });
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => o.Concurrency = 1));
        var read = new Gauge();
        using var cancel = new CancellationTokenSource();

        Task run = Task.Run(async () =>
        {
            await foreach (ResponseWrapper<string> _ in manager.ProcessAsync(Rows(), cancel.Token))
            {
            }
        }, Ended);
        await read.WaitForAsync(1000, Ended);

        // While another model's rows are answered, there is time to read on.
        await manager.ProcessBatchAsync(AskMany(1000).Select(request => request with { Model = "idle" }), Ended);
        Assert.InRange(read.Value, 1000, 1100);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);

        async IAsyncEnumerable<LlmRequest> Rows()
        {
            for (var i = 0; ; i++)
            {
                read.Add(1);
                yield return Ask(i);
                await Task.CompletedTask;
            }
        }
    }
}
