using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.TestKits;

public sealed class HeldSendsTests
{
    private static readonly LlmRequest s_request = LlmRequest.FromPrompt("test", "question", "m");
    private readonly HeldSends _sends = new();

    public HeldSendsTests() => TestSteps.Watch();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AnswerAndFail_EndTheOldestSend()
    {
        Task<string> first = _sends.HoldAsync(s_request, 1, Ended);
        Task<string> second = _sends.HoldAsync(s_request, 2, Ended);
        await _sends.WaitForAsync(2, Ended);

        _sends.Answer();
        Assert.Equal("fine", await first);
        Assert.False(second.IsCompleted);

        _sends.Fail(new TimeoutException("x"));
        await Assert.ThrowsAsync<TimeoutException>(() => second);
    }

    [Fact]
    public async Task Release_AnswersHeldAndLaterSends()
    {
        Task<string> held = _sends.HoldAsync(s_request, 1, Ended);
        _sends.Release();

        Assert.Equal(["fine", "fine"], [await held, await _sends.HoldAsync(s_request, 2, Ended)]);
    }

    [Fact]
    public async Task ASendThatIsNotAwaitedYet_IsWaitedFor()
    {
        using var go = new ManualResetEventSlim();
        var isHeld = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<int> engine = Task.Run(
            async () =>
            {
                Task<string> send = _sends.HoldAsync(s_request, 1, Ended);
                isHeld.SetResult();
                go.Wait(Ended);
                await send;
                return Environment.CurrentManagedThreadId;
            },
            Ended);
        await isHeld.Task;

        Task waiting = _sends.WaitForAsync(1, Ended);
        Assert.False(waiting.IsCompleted);
        go.Set();
        await waiting;

        int own = Environment.CurrentManagedThreadId;
        _sends.Answer();
        Assert.True(engine.IsCompleted);
        Assert.Equal(own, await engine);
    }
}
