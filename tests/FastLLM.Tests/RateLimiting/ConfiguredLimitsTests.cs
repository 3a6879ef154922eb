using FastLLM.Pipeline;
using FastLLM.RateLimiting;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>Limits that were told are used up and not overrun.</summary>
public sealed class ConfiguredLimitsTests
{
    private readonly ManualTimeProvider _time = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1200, 0.01)]
    [InlineData(1200, 0.2)]
    [InlineData(6000, 0.2)]
    [InlineData(60, 0.2)]
    [InlineData(6, 0.01)]
    public void RequestsThatWereTold_AreUsedUp_AndNoneIsRefused(int perMinute, double latency)
    {
        using var model = new SendingModel(new ContinuousServer(perMinute), latency, new RateLimits { RequestsPerMinute = perMinute });
        model.Run(120);

        Assert.InRange(model.Arrivals.Count / 2.0 / perMinute, 0.95, 1.1);
        Assert.InRange(model.Refused(0), 0, 0.01);
    }

    [Theory]
    [InlineData(0.05, true)]
    [InlineData(0.05, false)]
    [InlineData(0.2, false)]
    [InlineData(2, true)]
    public void TokensThatWereTold_AreUsedUp_WhateverTheSizesOfPromptsAndAnswers(double latency, bool isAllowanceSet)
    {
        using SendingModel model = Tokens(latency, isAllowanceSet);

        // That the server counts what is allowed and not what is taken is found out once, by a handful of refusals.
        Assert.InRange(model.Counted / 120_000.0, 0.95, 1.05);
        Assert.InRange(model.Refused(0), 0, isAllowanceSet ? 0.015 : 0.01);
        Assert.InRange(model.Refused(20), 0, 0.001);
    }

    [Fact]
    public void WhereAnswersAreSlowAndNobodyKnowsHowLongTheyWillBe_TheLimitIsStillNotOverrun()
    {
        using SendingModel model = Tokens(latency: 2, isAllowanceSet: false);

        Assert.InRange(model.Counted / 120_000.0, 0.7, 1.05);
        Assert.InRange(model.Refused(0), 0, 0.01);
    }

    [Fact]
    public void OneLargerThanAMinutesLimit_IsRefusedWithAClearMessage()
    {
        using var limiters = new RateLimiters(10, adaptive: false, _time, new RateLimits { TokensPerMinute = 1000 });
        ModelRateLimiter limiter = limiters.Of("m");

        LlmException? refusal = limiter.Prepare(new RateLease(), Ask(words: 10, allowed: 1000));

        Assert.Equal(FailureKind.RequestTooLarge, refusal?.Kind);
        Assert.Contains("TokensPerMinute 1,000", refusal!.Message, StringComparison.Ordinal);
        Assert.Null(limiter.Prepare(new RateLease(), Ask(words: 10, allowed: 900)));
    }

    [Fact]
    public async Task OneLargerThanTheBucket_GoesWhenItIsFull_AndLeavesADebt()
    {
        using var limiters = new RateLimiters(10, adaptive: false, _time, new RateLimits { TokensPerMinute = 6000 });
        ModelRateLimiter limiter = limiters.Of("m");
        await Enter(limiter, Ask(words: 1, allowed: 499));

        // Before the first answer, the nine bytes of the prompt count as 20 tokens.
        Task next = Enter(limiter, Ask(words: 1, allowed: 9));
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.False(next.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.2));
        await next;
    }

    [Fact]
    public async Task WhatWasSetAsideAndNotUsed_IsGivenBack()
    {
        using var limiters = new RateLimiters(10, adaptive: false, _time, new RateLimits { OutputTokensPerMinute = 6000, RequestsPerMinute = 60 });
        ModelRateLimiter limiter = limiters.Of("m");
        var lease = new RateLease();
        LlmRequest request = Ask(words: 1, allowed: 1000);
        limiter.Prepare(lease, request);
        await limiter.EnterAsync(lease, false, Ended);
        limiter.Leave(lease, LeaseEnd.Answered, new Usage { PromptTokens = 1, CompletionTokens = 5 });

        // 995 of 1,000 tokens came back: only the requests make the next one wait.
        Task next = Enter(limiter, request);
        _time.Advance(TimeSpan.FromSeconds(1.05));
        await next;

        // What never arrived gives its request back too.
        Task failed = Enter(limiter, request, LeaseEnd.NotUsed);
        _time.Advance(TimeSpan.FromSeconds(30));
        await failed;
        await Enter(limiter, request);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("a refusal")]
    [InlineData("headers")]
    public async Task WhatIsAllowedAndNotTaken_IsGivenBack_UnlessTheProviderShowsThatItCountsIt(string? evidence)
    {
        using var limiters = new RateLimiters(10, adaptive: false, _time, new RateLimits { TokensPerMinute = 6000 });
        ModelRateLimiter limiter = limiters.Of("m");
        LlmRequest request = Ask(words: 1, allowed: 1000);
        await AnswerAsync(evidence == "headers" ? ("x-ratelimit-remaining-tokens", "0") : null, evidence == "a refusal" ? LeaseEnd.Throttled : LeaseEnd.Answered);
        _time.Advance(TimeSpan.FromSeconds(60));
        await AnswerAsync(null, LeaseEnd.Answered);

        Task next = Enter(limiter, request);
        _time.Advance(TimeSpan.FromSeconds(5));
        if (evidence is not null)
        {
            Assert.False(next.IsCompleted);
            _time.Advance(TimeSpan.FromSeconds(10));
        }

        await next;

        async Task AnswerAsync((string, string)? header, LeaseEnd end)
        {
            var lease = new RateLease();
            limiter.Prepare(lease, request);
            await limiter.EnterAsync(lease, false, Ended);
            lease.Headers = header is { } one ? LimitHeadersTests.Read(one) : null;
            limiter.Leave(lease, end, end == LeaseEnd.Answered ? new Usage { PromptTokens = 1, CompletionTokens = 5 } : null);
        }
    }

    [Fact]
    public async Task TheProvidersHeaders_MakeItSlower_AndNeverFaster()
    {
        using var limiters = new RateLimiters(100, adaptive: false, _time, new RateLimits { RequestsPerMinute = 600 });
        ModelRateLimiter limiter = limiters.Of("m");
        var first = new RateLease();
        limiter.Prepare(first, Ask(1, 1));
        await limiter.EnterAsync(first, false, Ended);
        first.Headers = LimitHeadersTests.Read(("x-ratelimit-remaining-requests", "0"));
        limiter.Leave(first, LeaseEnd.Answered);

        Task next = Enter(limiter, Ask(1, 1), header: ("x-ratelimit-remaining-requests", "500"));
        Assert.False(next.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.11));
        await next;
        Assert.False(Enter(limiter, Ask(1, 1)).IsCompleted);
    }

    [Fact]
    public async Task ADaysRequestsThatAreUsedUp_EndTheWaitAtOnce()
    {
        using var limiters = new RateLimiters(100, adaptive: false, _time, new RateLimits { RequestsPerDay = 2 }, TimeSpan.FromHours(1));
        ModelRateLimiter limiter = limiters.Of("m");
        await Enter(limiter, Ask(1, 1));
        await Enter(limiter, Ask(1, 1));

        LlmException usedUp = await Assert.ThrowsAsync<LlmException>(() => Enter(limiter, Ask(1, 1)));
        Assert.Equal(FailureKind.DailyLimit, usedUp.Kind);

        // When the day is nearly over, it is worth waiting for.
        _time.Advance(TimeSpan.FromHours(23.5));
        Task next = Enter(limiter, Ask(1, 1));
        _time.Advance(TimeSpan.FromHours(0.51));
        await next;
    }

    [Fact]
    public async Task AClosedGate_HoldsUpItsOwnModelOnly_UnderOneCeiling()
    {
        using var limiters = new RateLimiters(2, adaptive: false, _time);
        limiters.Of("a").CloseFor(TimeSpan.FromSeconds(30));
        var lease = new RateLease();
        Task held = limiters.Of("a").EnterAsync(lease, false, Ended).AsTask();
        var second = new RateLease();
        await limiters.Of("b").EnterAsync(new RateLease(), false, Ended);
        await limiters.Of("b").EnterAsync(second, false, Ended);

        // The ceiling holds over all models, and the slot that one leaves goes to the other.
        _time.Advance(TimeSpan.FromSeconds(31));
        Assert.False(held.IsCompleted);
        limiters.Of("b").Leave(second, LeaseEnd.Answered);
        await held;
    }

    private static LlmRequest Ask(int words, int allowed) => LlmRequest.FromJson(
        $$"""{"model":"m","messages":[{"role":"user","content":"{{string.Concat(Enumerable.Repeat("abc ", words))}}"}],"max_tokens":{{allowed}}}""");

    private static SendingModel Tokens(double latency, bool isAllowanceSet)
    {
        var model = new SendingModel(new ContinuousServer(null, 120_000), latency, new RateLimits { TokensPerMinute = 120_000 }, row: random =>
        {
            int answer = random.Next(5, 800);
            return (random.Next(10, 1500), isAllowanceSet ? answer + random.Next(0, 500) : null, answer);
        });
        model.Run(60);
        return model;
    }

    private static async Task Enter(ModelRateLimiter limiter, LlmRequest request, LeaseEnd end = LeaseEnd.Failed, (string, string)? header = null)
    {
        var lease = new RateLease();
        limiter.Prepare(lease, request);
        await limiter.EnterAsync(lease, false, Ended);
        lease.Headers = header is { } told ? LimitHeadersTests.Read(told) : null;
        limiter.Leave(lease, end);
    }
}
