using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.TestKits;

public sealed class TestStepsTests
{
    private readonly TestSteps _steps = TestSteps.Watch();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AStepThatHoldsItsThread_IsWaitedFor()
    {
        using var go = new ManualResetEventSlim();
        var began = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task step = Task.Run(() =>
        {
            began.SetResult();
            go.Wait(Ended);
        }, Ended);
        await began.Task;

        Task done = _steps.WhenDoneAsync(Ended);
        await Task.WhenAny(done, Turn());
        Assert.False(done.IsCompleted);

        go.Set();
        await done;
        await step;

        static Task Turn() => Task.Run(() => { }, Ended);
    }

    [Fact]
    public async Task CodeOfAnotherTest_IsNot()
    {
        using var go = new ManualResetEventSlim();
        CancellationToken ended = Ended;
        Task other;
        using (ExecutionContext.SuppressFlow())
        {
            other = Task.Run(() => go.Wait(ended), ended);
        }

        await _steps.WhenDoneAsync(Ended);

        Assert.False(other.IsCompleted);
        go.Set();
        await other;
    }
}
