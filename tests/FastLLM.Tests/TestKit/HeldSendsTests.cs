using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.TestKits;

public sealed class HeldSendsTests
{
    private static readonly LlmRequest s_request = LlmRequest.FromPrompt("test", "question", "m");
    private readonly HeldSends _sends = new();

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
}
