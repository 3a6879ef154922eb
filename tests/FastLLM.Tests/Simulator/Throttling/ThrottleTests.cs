using FastLLM.Simulator;
using FastLLM.Simulator.Serving;
using FastLLM.Simulator.Throttling;
using Xunit;

namespace FastLLM.Tests.Simulators.Throttling;

public sealed class ThrottleTests
{
    [Theory]
    [InlineData("window:1/10s bucket:1/s,burst:1", "0 0.5 5 10 10.5", "ok 9.5 5 ok 9.5")] // the longest wait
    [InlineData("bucket:1/s,burst:1 concurrency:1", "0 0.25 5", "ok 0.75 no")]
    [InlineData("random:100% bucket:1/s,burst:1", "0 0", "no no")]
    public void Admit_SeveralLaws_TakesAllOrNone(string laws, string seconds, string expected) =>
        Assert.Equal(expected, new ThrottledClock(laws.Split(' ')).Arrive(seconds));

    [Fact]
    public void Admit_Refused_UsesNothingUp()
    {
        // The window has room for three. Seven requests that the bucket refuses take none of it.
        var server = new ThrottledClock("window:3/1min", "bucket:1/s,burst:1");
        Assert.Equal("ok 1 1 1 1 1 1 1 ok ok 58", server.Arrive("0 0 0 0 0 0 0 0 1 2 2"));
    }

    [Fact]
    public void Refusal_BySeveral_NamesTheFirst()
    {
        var server = new ThrottledClock("concurrency:1", "bucket:1/s,burst:1");
        server.Arrive();
        Assert.Equal("concurrency:1", server.Arrive()!.Law.ToString());
    }

    [Theory]
    [InlineData("none", "window:1/10s", "0 4", "ok no")]
    [InlineData("wrong:10x", "window:1/10s", "0 4", "ok 60")]
    [InlineData("wrong:0.1x", "window:1/10s", "0 4", "ok 0.6")]
    [InlineData("1", "window:1/10s", "0 4", "ok 1")]
    [InlineData("250ms", "random:100%", "0", "0.25")]
    [InlineData("wrong:10x", "random:100%", "0", "no")]
    public void RetryAfter_ByRule_ToldToTheClient(string rule, string law, string seconds, string expected)
    {
        var options = new SimulatorOptions
        {
            ThrottleLaws = [ThrottleLaw.Parse(law)],
            ThrottleRetryAfter = ThrottleRetryAfter.Parse(rule),
        };
        Assert.Equal(expected, new ThrottledClock(options).Arrive(seconds));
    }

    [Fact]
    public void Change_AtItsTime_ReplacesAllLaws()
    {
        // The changes count from the first request, at 10 s.
        ThrottledClock server = Changing(["window:1/1min"], "20s=bucket:1/s,burst:1", "30s=none");
        Assert.Equal("ok 30.001 ok 1 ok ok ok", server.Arrive("10 29.999 30 30 40 40 40"));
    }

    [Fact]
    public void Change_ToTheSameLaw_KeepsItsState()
    {
        ThrottledClock server = Changing(["window:2/1min", "random:0%"], "5s=window:2/1min", "6s=window:3/1min");
        Assert.Equal("ok ok 55 ok", server.Arrive("0 0 5 6"));
    }

    [Fact]
    public void Changes_AtTheSameTime_Combine()
    {
        ThrottledClock server = Changing([], "1s=window:1/1min", "1s=random:100%");
        Assert.Equal("ok ok", server.Arrive("0 0"));
        server.AdvanceTo(1);
        Assert.Equal("random:100%", server.Arrive()!.Law.ToString());
    }

    [Fact]
    public void Change_OfConcurrency_KnowsWhatIsInFlight()
    {
        ThrottledClock server = Changing([], "1s=concurrency:2");
        Assert.Equal("ok ok ok no", server.Arrive("0 0 0 1"));
        server.Leave();
        server.Leave();
        Assert.Equal("ok no", server.Arrive("1 1"));
    }

    [Fact]
    public void Of_WithoutLaws_IsNull() =>
        Assert.Null(Throttle.Of(new SimulatorOptions(), new ServerClock(TimeProvider.System)));

    [Fact]
    public void Options_WithNull_Throw()
    {
        var options = new SimulatorOptions();
        Assert.Throws<ArgumentNullException>(() => options.ThrottleLaws = null!);
        Assert.Throws<ArgumentException>(() => options.ThrottleLaws = [null!]);
        Assert.Throws<ArgumentException>(() => options.ThrottleChanges = [null!]);
        Assert.Throws<ArgumentNullException>(() => options.ThrottleRetryAfter = null!);
        Assert.Throws<ArgumentOutOfRangeException>(() => new ThrottleChange(TimeSpan.FromSeconds(-1)));
    }

    [Fact]
    public void Options_AfterTheCallersListChanges_KeepTheirLaws()
    {
        var laws = new List<ThrottleLaw> { ThrottleLaw.Random(1) };
        var options = new SimulatorOptions { ThrottleLaws = laws };
        laws.Clear();
        Assert.Single(options.ThrottleLaws);
    }

    private static ThrottledClock Changing(string[] laws, params string[] changes) => new(new SimulatorOptions
    {
        ThrottleLaws = [.. laws.Select(ThrottleLaw.Parse)],
        ThrottleChanges = [.. changes.Select(ThrottleChange.Parse)],
    });
}
