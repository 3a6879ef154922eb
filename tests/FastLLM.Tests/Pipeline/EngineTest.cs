using FastLLM.Retries;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>What tests of the engine have in common: a clock that stands still, requests by number, options that are quick and quiet.</summary>
public abstract class EngineTest
{
    // The clock moves between the steps of the engine, not within one.
    protected EngineTest() => TestSteps.Watch();

    protected ManualTimeProvider Time { get; } = new();

    protected static CancellationToken Ended => TestContext.Current.CancellationToken;

    /// <summary>A request that differs from those with other numbers.</summary>
    protected static LlmRequest Ask(int number) => LlmRequest.FromPrompt("test", $"question {number}", "m");

    protected static LlmRequest[] AskMany(int count) => [.. Enumerable.Range(0, count).Select(Ask)];

    /// <summary>No jitter, and the manual clock: waits are as long as they can be, and pass when the test says so.</summary>
    protected RequestManagerOptions OnManualClock(Action<RequestManagerOptions>? change = null)
    {
        var options = new RequestManagerOptions { ShowProgress = false, TimeProvider = Time, Jitter = () => 0.999999 };
        change?.Invoke(options);
        return options;
    }

    /// <summary>The system's clock, for tests in which nothing waits. No attempt times out, however busy the machine is.</summary>
    protected static RequestManagerOptions Quick(Action<RequestManagerOptions>? change = null)
    {
        var options = new RequestManagerOptions { ShowProgress = false, RetryDelay = TimeSpan.Zero, Timeout = Timeout.InfiniteTimeSpan };
        change?.Invoke(options);
        return options;
    }

    /// <summary>Takes the next outcomes of a stream: the signal that so many requests are done.</summary>
    protected static async Task<List<ResponseWrapper<string>>> TakeAsync(IAsyncEnumerator<ResponseWrapper<string>> outcomes, int count)
    {
        var taken = new List<ResponseWrapper<string>>();
        while (taken.Count < count && await outcomes.MoveNextAsync())
        {
            taken.Add(outcomes.Current);
        }

        Assert.Equal(count, taken.Count);
        return taken;
    }

    /// <summary>Lets the manual clock run from timer to timer until the work is done.</summary>
    protected async Task<T> RunClockAsync<T>(Task<T> work)
    {
        while (!work.IsCompleted)
        {
            Task timers = Time.WaitForTimersAsync(1, Ended);
            if (await Task.WhenAny(work, timers) == timers)
            {
                Time.AdvanceToNext();
            }
        }

        return await work;
    }
}
