using FastLLM.Pipeline;
using FastLLM.Retries;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>When a run's first failures are everybody's, and what that means for those that were held.</summary>
public sealed class FailFastDetectorTests
{
    private readonly FailFastDetector _detector = new(isEnabled: true);

    [Fact]
    public void TenEqualRefusals_WithRowsLeft_StopTheRun()
    {
        int episode = Refuse(9, hasMore: true);
        Assert.True(_detector.MaySend(out _));
        Assert.Null(_detector.ScopeOf(episode));
        Assert.Equal(episode, _detector.Failed(Refusal()));

        LlmException? cause = _detector.Returned(hasMore: true);

        Assert.Equal((FailureKind.InvalidRequest, FailureScope.Run), (cause?.Kind, cause?.FailureScope));
        Assert.Equal(FailureScope.Run, _detector.ScopeOf(episode));
        Assert.False(_detector.MaySend(out Task decision));
        _detector.Close();
        Assert.True(decision.IsCompleted);
    }

    [Fact]
    public void TenEqualRefusals_HoldSendsUntilTheLastInFlightReturns()
    {
        Assert.True(_detector.MaySend(out _));
        int episode = Refuse(10, hasMore: true);
        Assert.False(_detector.MaySend(out Task decision));

        _detector.Answered();

        Assert.True(decision.IsCompleted);
        Assert.Equal(FailureScope.Request, _detector.ScopeOf(episode));
        Assert.Null(_detector.Returned(hasMore: true));
    }

    [Fact]
    public void RetryAfterTenEqualRefusals_WithNothingInFlight_IsSent()
    {
        Refuse(10, hasMore: false);

        Assert.True(_detector.MaySend(out _));
    }

    [Fact]
    public void AnotherFailure_ClearsTheSuspects()
    {
        int episode = Refuse(9, hasMore: true);

        Assert.Equal(0, _detector.Failed(new LlmException(FailureKind.ContextLength, "too long") { StatusCode = 400 }));

        Assert.Equal(FailureScope.Request, _detector.ScopeOf(episode));
        Assert.NotEqual(episode, _detector.Failed(Refusal()));
    }

    private int Refuse(int times, bool hasMore)
    {
        var episode = 0;
        for (var i = 0; i < times; i++)
        {
            Assert.True(_detector.MaySend(out _));
            episode = _detector.Failed(Refusal());
            Assert.Null(_detector.Returned(hasMore));
        }

        return episode;
    }

    private static LlmException Refusal() => new(FailureKind.InvalidRequest, "unknown parameter") { StatusCode = 400 };
}
