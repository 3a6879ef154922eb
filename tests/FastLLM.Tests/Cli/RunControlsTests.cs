using FastLLM.Cli;
using FastLLM.RateLimiting;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class RunControlsTests : IDisposable
{
    private readonly RateLimiters _limiters = new(100, adaptive: false, new ManualTimeProvider());
    private int _stops;

    public RunControlsTests() => _limiters.ChangeCeiling(8);

    public void Dispose() => _limiters.Dispose();

    [Theory]
    [InlineData("+", 10)]
    [InlineData("++", 12)]
    [InlineData("-", 6)]
    [InlineData("----------", 1)]
    [InlineData("++++++++++++++++++++++++++++++", 100)]
    [InlineData("x?\r", 8)]
    public void Press_PlusAndMinus_ChangeTheCeiling(string keys, int expected)
    {
        _ = _limiters.Of("m");
        Press(NewControls(), keys);

        Assert.Equal(expected, _limiters.Limit);
    }

    [Fact]
    public void Press_P_HoldsAllSendsUntilPressedAgain()
    {
        RunControls controls = NewControls();

        controls.Press('P');
        Assert.True(controls.IsPaused && _limiters.IsFull);
        controls.Press('p');
        Assert.False(controls.IsPaused || _limiters.IsFull);
    }

    [Fact]
    public void Press_Q_StopsAlsoWhilePaused()
    {
        Press(NewControls(), "pq");

        Assert.Equal(1, _stops);
        Assert.False(_limiters.IsFull);
    }

    [Fact]
    public void Press_WithTimeLimitForRows_OnlyStops()
    {
        var controls = new RunControls(_limiters, 100, () => _stops++) { OnlyStops = true };
        Press(controls, "p+-q");

        Assert.Equal((8, 1, false), (_limiters.Ceiling, _stops, controls.IsPaused));
    }

    [Theory]
    [InlineData(1, 101)]
    [InlineData(50, 200)]
    [InlineData(900, 1_000)]
    [InlineData(5_000, 5_000)]
    public void HeadroomOf_LeavesRoomToRaise(int concurrency, int expected) => Assert.Equal(expected, RunControls.HeadroomOf(concurrency));

    private RunControls NewControls() => new(_limiters, 100, () => _stops++);

    private static void Press(RunControls controls, string keys)
    {
        foreach (char key in keys)
        {
            controls.Press(key);
        }
    }
}
