using FastLLM.Pipeline;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>When the requests that are left of a run are alone.</summary>
public sealed class LeftRowsTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly LeftRows _left;

    public LeftRowsTests() => _left = new LeftRows(_time);

    [Fact]
    public void AloneFor_AllThatAreUnderWayFail_SinceTheLastAnswer()
    {
        Begin(3);
        _left.BeginFailing();
        _left.End(isFailing: false, "m", answered: 7);
        Assert.Null(_left.AloneFor); // one is neither answered nor failing

        _left.BeginFailing();
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(5, _left.AloneFor!.Value.TotalSeconds, 3);
    }

    [Fact]
    public void IsAnsweredLater_OfTheSameModelOnly()
    {
        Begin(3);
        _left.BeginFailing();
        _left.End(isFailing: false, "a", answered: 7);
        _left.End(isFailing: false, null, answered: 9);

        Assert.True(_left.IsAnsweredLater("a", 6));
        Assert.False(_left.IsAnsweredLater("a", 7));
        Assert.False(_left.IsAnsweredLater("b", 1));
        Assert.True(_left.IsAnsweredLater(null, 8));
    }

    [Fact]
    public void WhenAlone_EndsAtEachRequestThatIsGivenUp()
    {
        Task first = _left.WhenAlone;
        _left.SayAlone();
        Task second = _left.WhenAlone;

        Assert.Equal((true, false), (first.IsCompleted, second.IsCompleted));
        _left.SayAlone();
        Assert.True(second.IsCompleted);
    }

    private void Begin(int count)
    {
        for (var i = 0; i < count; i++)
        {
            _left.Begin();
        }
    }
}
