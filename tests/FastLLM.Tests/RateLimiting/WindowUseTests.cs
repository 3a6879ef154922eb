using FastLLM.RateLimiting;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>Providers that take so many sends in each window: each window is used up soon after it opens, and hardly exceeded.</summary>
public sealed class WindowUseTests
{
    [Theory]
    [InlineData(0, false)]
    [InlineData(3, false)]
    [InlineData(6, true)]
    [InlineData(9, false)]
    public void Window_IsUsedUpSoonAfterItHasOpened(double age, bool isBusy)
    {
        VirtualRun run = new VirtualRun(new WindowLaw(500, 10, age)) { RetryAfter = 1, IsBusy = isBusy }.Run(70);

        // The fourth one is used slowly, to see whether it is one.
        foreach (int window in (int[])[2, 3])
        {
            double opens = (10 * window) - age;
            Assert.InRange(run.Goodput(opens, opens + 1.5) * 1.5, 490, 510);
        }

        Assert.InRange(run.Goodput(20 - age, 60 - age), 49, 51);
        Assert.InRange(run.Refused(20 - age, 60), 0, 0.04);
    }

    [Fact]
    public void OpeningWindow_IsUsedSlowlyAtFirst()
    {
        VirtualRun run = new VirtualRun(new WindowLaw(500, 10)) { RetryAfter = 1 }.Run(25);

        double[] tenths = [.. Enumerable.Range(0, 6).Select(i => run.Sends(20 + (i * 0.1), 20.1 + (i * 0.1)) * 0.1)];
        Assert.InRange(tenths[0], 1, 15);
        Assert.All(tenths.Zip(tenths.Skip(1)), static pair => Assert.InRange(pair.Second, 0, (2.5 * pair.First) + 2));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void SlidingWindow_IsUsedWhole(double retryAfter)
    {
        VirtualRun run = new VirtualRun(new SlidingLaw(500, 10)) { RetryAfter = retryAfter }.Run(40);

        Assert.InRange(run.Goodput(0, 40), 48, 51);
        Assert.InRange(run.Refused(10, 40), 0, 0.07);
    }

    [Fact]
    public void WindowOfAMinute_IsProbedEachFewSeconds_WhileItIsUsedUp()
    {
        VirtualRun run = new VirtualRun(new WindowLaw(3000, 60)) { RetryAfter = 1 }.Run(240);

        Assert.InRange(run.Goodput(60, 240), 49, 51);
        Assert.InRange(run.LongestPause, 0, 5);
        Assert.InRange(run.Refused(60, 240), 0, 0.015);
    }

    [Fact]
    public void KnownWindow_IsNamedAsARate()
    {
        VirtualRun run = new VirtualRun(new WindowLaw(500, 10)) { RetryAfter = 1 }.Run(35);

        Assert.InRange(run.Limiter.Law.PerSecond ?? 0, 49, 51);
    }

    [Fact]
    public void WindowThatTakesTwiceAsMuch_IsUsedWholeInTheNextOne()
    {
        VirtualRun run = new VirtualRun(new LawChange(new WindowLaw(300, 10), 30, new WindowLaw(600, 10))) { RetryAfter = 1 }.Run(60);

        Assert.InRange(run.Goodput(40, 60), 58, 61);
    }

    [Fact]
    public void WindowThatTakesHalfAsMuch_IsHardlyExceededFromTheNextOneOn()
    {
        VirtualRun run = new VirtualRun(new LawChange(new WindowLaw(600, 10), 30, new WindowLaw(300, 10))) { RetryAfter = 1 }.Run(60);

        Assert.InRange(run.Goodput(40, 60), 29, 31);
        Assert.InRange(run.Refused(40, 60), 0, 0.06);
    }

    [Fact]
    public void WindowThatIsNoLonger_IsForgotten()
    {
        VirtualRun run = new VirtualRun(new LawChange(new WindowLaw(500, 10), 30, new InFlightLaw(1000))) { RetryAfter = 1 }.Run(40);

        Assert.InRange(run.Goodput(32, 40), 950, 1000);
    }

    // 50 a second, and nothing for 10 s once that is exceeded: as if 50 were taken in each 10 s.
    [Fact]
    public void PenaltyForTooManySends_IsNotTakenForAWindowInTheLongRun()
    {
        VirtualRun run = new VirtualRun(new PenaltyLaw(new BucketLaw(50, 50), 10)) { RetryAfter = 1 }.Run(180);

        Assert.InRange(run.Goodput(90, 180), 14, 50);
    }

    [Fact]
    public void Window_ThatHadNotOpened_CountsFromTheOneBefore()
    {
        var quota = new WindowQuota(firstAt: 0);
        var closure = new Closure();
        closure.Close(1, inFlight: 0, noise: 0);
        Assert.True(quota.TryOpen(closure, Lasting(new Emptied(3, 501)), now: 3));
        closure.Close(3.1, inFlight: 0, noise: 0);

        Assert.True(quota.TryOpen(closure, Lasting(new Emptied(10, 502)), now: 10));
        Assert.Equal(50.1, quota.Rate, 0.001);
    }

    private static Cycle Lasting(Emptied opening) => new(
        Rate: 50, InFlight: 0, AtReopening: 0, IsByInFlight: false, IsAboutInFlight: false, IsLasting: true, IsLong: true, IsRough: false,
        IsWideOpen: true, opening);

    private sealed class PenaltyLaw(VirtualLaw law, double seconds) : VirtualLaw
    {
        private double _until;

        public override double Refuses(double now, int inFlight, Random random)
        {
            if (now >= _until && law.Refuses(now, inFlight, random) > 0)
            {
                _until = now + seconds;
            }

            return Math.Max(0, _until - now);
        }

        public override void Accept(double now) => law.Accept(now);
    }
}
