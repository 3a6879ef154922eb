using FastLLM.Retries;
using Xunit;

namespace FastLLM.Tests.Retries;

/// <summary>The table of decisions after a failed send: base of the back-off 10 s, three attempts, waits of at most 15 minutes, random number 0.5.</summary>
public sealed class RetryPolicyTests
{
    private static readonly RetryPolicy s_policy = new(new RequestManagerOptions { RetryAttempts = 3, RetryDelay = TimeSpan.FromSeconds(10) });

    [Theory]

    // The request's own failures: two retries, with a delay that doubles; RetryAfter is a minimum, and one beyond the ceiling gives up.
    [InlineData(FailureKind.ServerError, 0, 0, null, nameof(RetryAction.Retry), 5)]
    [InlineData(FailureKind.ServerError, 1, 0, null, nameof(RetryAction.Retry), 10)]
    [InlineData(FailureKind.ServerError, 2, 0, null, nameof(RetryAction.GiveUp), 0)]
    [InlineData(FailureKind.Timeout, 0, 0, null, nameof(RetryAction.Retry), 5)]
    [InlineData(FailureKind.NameNotResolved, 2, 0, null, nameof(RetryAction.GiveUp), 0)]
    [InlineData(FailureKind.ServerConflict, 0, 0, 60, nameof(RetryAction.Retry), 67.5)]
    [InlineData(FailureKind.ServerConflict, 0, 0, 901, nameof(RetryAction.GiveUp), 0)]

    // Throttling: any number of waits, which count as no attempt.
    [InlineData(FailureKind.RateLimited, 0, 0, null, nameof(RetryAction.Wait), 5)]
    [InlineData(FailureKind.RateLimited, 2, 3, null, nameof(RetryAction.Wait), 30)]
    [InlineData(FailureKind.RateLimited, 0, 50, null, nameof(RetryAction.Wait), 30)]
    [InlineData(FailureKind.ConnectionRefused, 0, 0, null, nameof(RetryAction.Wait), 5)]
    [InlineData(FailureKind.Overloaded, 0, 0, 1000, nameof(RetryAction.GiveUp), 0)]

    // What no second send changes.
    [InlineData(FailureKind.InvalidRequest, 0, 0, null, nameof(RetryAction.GiveUp), 0)]
    [InlineData(FailureKind.Authentication, 0, 0, 5, nameof(RetryAction.GiveUp), 0)]
    [InlineData(FailureKind.ModelNotFound, 0, 0, null, nameof(RetryAction.GiveUp), 0)]
    public void Decide_FailureOfTheRequest(FailureKind kind, int failures, int waits, int? retryAfter, string action, double seconds)
    {
        var failure = new LlmException(kind, "failed") { RetryAfter = retryAfter is { } wait ? TimeSpan.FromSeconds(wait) : null };

        RetryDecision decision = Decide(new RetryState { Failures = failures, Waits = waits }, failure);

        Assert.Equal((action, seconds), (decision.Action.ToString(), decision.Delay.TotalSeconds));
    }

    [Theory]
    [InlineData(false, 0, nameof(RetryAction.Wait))]
    [InlineData(false, 100, nameof(RetryAction.Wait))]
    [InlineData(true, 19, nameof(RetryAction.Wait))]
    [InlineData(true, 20, nameof(RetryAction.Retry))]
    public void Decide_ProviderIsDown_WaitsWithoutDelay_UnlessTheRequestKeepsBreakingProbes(bool wasProbe, int probes, string action)
    {
        RetryDecision decision = Decide(new RetryState { Probes = probes }, new LlmException(FailureKind.ServerError, "500"), wasDown: true, wasProbe: wasProbe);

        Assert.Equal(action, decision.Action.ToString());
        Assert.Equal(wasProbe ? probes + 1 : probes, decision.State.Probes);
        Assert.Equal(decision.Action == RetryAction.Wait, decision.Delay == TimeSpan.Zero);
    }

    [Theory]
    [InlineData(true, 0, null, 0)]
    [InlineData(true, 19, null, 0)]
    [InlineData(true, 20, null, 30)]
    [InlineData(true, 0, 4, 4.5)]
    [InlineData(true, 19, 4, 4.5)]
    [InlineData(true, 20, 4, 30)]
    [InlineData(false, 0, null, 5)]
    public void Decide_RefusedAtRandom_IsSentAgainAtOnce(bool isNoise, int waits, int? retryAfter, double seconds)
    {
        var failure = new LlmException(FailureKind.RateLimited, "429") { RetryAfter = retryAfter is { } wait ? TimeSpan.FromSeconds(wait) : null };

        RetryDecision decision = Decide(new RetryState { Waits = waits }, failure, isNoise: isNoise);

        Assert.Equal((RetryAction.Wait, seconds), (decision.Action, decision.Delay.TotalSeconds));
    }

    [Theory]
    [InlineData(FailureKind.Authentication, true, false, null, nameof(RetryAction.Repeat))]
    [InlineData(FailureKind.QuotaExhausted, true, false, null, nameof(RetryAction.Repeat))]
    [InlineData(FailureKind.PermissionDenied, true, true, null, nameof(RetryAction.GiveUp))]
    [InlineData(FailureKind.PermissionDenied, true, false, false, nameof(RetryAction.GiveUp))]
    [InlineData(FailureKind.Authentication, false, false, null, nameof(RetryAction.GiveUp))]
    [InlineData(FailureKind.ModelNotFound, true, false, null, nameof(RetryAction.GiveUp))]
    public void Decide_FailureThatOthersMayShare_IsRepeatedOnce_IfThereAreOthers(
        FailureKind kind, bool hasOthers, bool isRepeated, bool? shouldRetry, string action)
    {
        RetryDecision decision = s_policy.Decide(new RetryState { IsRepeated = isRepeated },
            new LlmException(kind, "no") { StatusCode = 400, ShouldRetry = shouldRetry }, default(SendCircumstances) with { HasOthers = hasOthers }, TimeSpan.Zero, 0.5);

        Assert.Equal(action, decision.Action.ToString());
        Assert.Equal(decision.Action == RetryAction.Repeat ? 5 : 0, decision.Delay.TotalSeconds);
        Assert.Equal(0, decision.State.Failures);
    }

    [Theory]
    [InlineData(null, 1, true, nameof(RetryAction.Wait))]
    [InlineData(119, 1, true, nameof(RetryAction.Wait))]
    [InlineData(120, 9, false, nameof(RetryAction.GiveUp))]
    [InlineData(299, 10, true, nameof(RetryAction.Wait))]
    [InlineData(300, 500, true, nameof(RetryAction.GiveUp))]
    [InlineData(300, 500, false, nameof(RetryAction.Wait))]
    public void Decide_ThrottledAfterAllOthersWereAnswered_GivesUpAfterAFewMinutes(
        int? aloneFor, int left, bool areLaterAnswered, string action)
    {
        RetryDecision decision = s_policy.Decide(
            new RetryState { Waits = 5 },
            new LlmException(FailureKind.RateLimited, "429"),
            default(SendCircumstances) with { AloneFor = aloneFor is { } seconds ? TimeSpan.FromSeconds(seconds) : null, Left = left, AreLaterAnswered = areLaterAnswered },
            TimeSpan.FromSeconds(500),
            0.5);

        Assert.Equal(action, decision.Action.ToString());
    }

    [Theory]
    [InlineData(120, 9, true)]
    [InlineData(1799, 10, false)]
    [InlineData(1800, 10, true)]
    public void IsLeftAlone_WhileManyWaitAsAsked_TakesHalfAnHour(int aloneFor, int left, bool isAlone)
    {
        Assert.Equal(isAlone, RetryPolicy.IsLeftAlone(default(SendCircumstances) with
        {
            AloneFor = TimeSpan.FromSeconds(aloneFor), Left = left, AreLaterAnswered = true, WaitsAsAsked = true,
        }));
    }

    [Theory]
    [InlineData(FailureKind.ServerError, 0, 3, 57, false, true)]
    [InlineData(FailureKind.ConnectionLost, 119, 1, 57, false, true)]
    [InlineData(FailureKind.ConnectionLost, 120, 1, 57, false, false)] // two minutes without an answer
    [InlineData(FailureKind.ServerError, 0, 3, 57, true, false)] // later ones are answered: its own
    [InlineData(FailureKind.ServerError, null, 3, 57, false, false)] // others may still be answered, or nothing ever was
    [InlineData(FailureKind.ServerError, 1799, 20, 57, false, true)]
    [InlineData(FailureKind.ServerError, 1800, 20, 57, false, false)]
    [InlineData(FailureKind.Timeout, 0, 3, 57, false, false)]
    [InlineData(FailureKind.IncompleteResponse, 0, 3, 57, false, false)]
    [InlineData(FailureKind.ServerConflict, 0, 3, 57, false, false)]
    public void Decide_LastRowsAfterTheirAttempts_WaitIfItMayBeAnOutage(
        FailureKind kind, int? aloneFor, int left, int answered, bool areNewAnswered, bool waits)
    {
        SendCircumstances circumstances = default(SendCircumstances) with
        {
            AloneFor = aloneFor is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            Left = left,
            Answered = answered,
            AreNewAnswered = areNewAnswered,
        };
        var last = new RetryState { Failures = 2 };

        RetryDecision decision = s_policy.Decide(last, new LlmException(kind, "failed"), circumstances, TimeSpan.Zero, 0.5);

        Assert.Equal(waits, RetryPolicy.MayBeLateOutage(kind, circumstances));
        Assert.False(RetryPolicy.MayBeLateOutage(kind, circumstances with { WasDown = true }));
        Assert.Equal(waits ? (RetryAction.Wait, last with { Waits = 1 }) : (RetryAction.GiveUp, decision.State), (decision.Action, decision.State));
        Assert.Equal(waits ? 20 : 0, decision.Delay.TotalSeconds);
    }

    [Fact]
    public void Decide_NameNotResolved_IsNoOutage()
    {
        Assert.Equal(RetryAction.GiveUp, Decide(new RetryState { Failures = 2 }, new LlmException(FailureKind.NameNotResolved, "?"), wasDown: true).Action);
    }

    [Theory]
    [InlineData(894, nameof(RetryAction.Wait))]
    [InlineData(897, nameof(RetryAction.GiveUp))]
    public void Decide_WaitsBeyondTheCeiling_GiveUp(int secondsSinceFirst, string action)
    {
        var state = new RetryState { Waits = 1, FirstWait = TimeSpan.FromSeconds(100) };
        var failure = new LlmException(FailureKind.RateLimited, "429") { RetryAfter = TimeSpan.FromSeconds(4) };

        Assert.Equal(action, Decide(state, failure, age: 100 + secondsSinceFirst, random: 0).Action.ToString());
    }

    [Theory]
    [InlineData(54, nameof(RetryAction.Retry))]
    [InlineData(55, nameof(RetryAction.GiveUp))]
    public void Decide_BeyondTheTotalTimeout_GivesUp(int age, string action)
    {
        var policy = new RetryPolicy(new RequestManagerOptions { RetryDelay = TimeSpan.FromSeconds(10), TotalTimeout = TimeSpan.FromSeconds(60) });
        RetryDecision decision = policy.Decide(default, new LlmException(FailureKind.ServerError, "500"), default, TimeSpan.FromSeconds(age), 0.5);

        Assert.Equal(action, decision.Action.ToString());
        Assert.Equal(RetryAction.GiveUp, policy.Postpone(decision, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(age)).Action);
    }

    [Fact]
    public void Decide_ProviderSendsSomethingElseNextTime_SendsAtOnceAndCountsNothing()
    {
        var state = new RetryState { Failures = 2 };

        Assert.Equal(
            new RetryDecision(RetryAction.Wait, TimeSpan.Zero, state),
            Decide(state, new LlmException(FailureKind.InvalidRequest, "400").WithSendAgainChanged()));
    }

    [Fact]
    public void Decide_CountsWhatTheFailureWas()
    {
        RetryState timedOut = Decide(default, new LlmException(FailureKind.Timeout, "late")).State;
        RetryState throttled = Decide(timedOut, new LlmException(FailureKind.RateLimited, "429"), age: 7).State;

        Assert.Equal(new RetryState { Failures = 1, Timeouts = 1 }, timedOut);
        Assert.Equal(new RetryState { Failures = 1, Timeouts = 1, Waits = 1, FirstWait = TimeSpan.FromSeconds(7) }, throttled);
    }

    private static RetryDecision Decide(RetryState state, LlmException failure, bool wasDown = false, bool wasProbe = false, bool isNoise = false, int age = 0, double random = 0.5) =>
        s_policy.Decide(state, failure, new SendCircumstances(wasDown, wasProbe, isNoise, failure.RetryAfter), TimeSpan.FromSeconds(age), random);
}
