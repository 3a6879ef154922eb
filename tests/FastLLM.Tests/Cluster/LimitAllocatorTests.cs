using FastLLM.Cluster.Limits;
using FastLLM.RateLimiting;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Cluster;

/// <summary>What workers send of a configured limit that they share, on virtual time.</summary>
public sealed class LimitAllocatorTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(3_000, 1)]
    [InlineData(3_000, 4)]
    [InlineData(3_000, 20)]
    [InlineData(60, 4)]
    [InlineData(10, 4)]
    [InlineData(100_000, 4)]
    public void Busy_Workers_UseUpTheLimit_AndNeverMore(long perMinute, int workers)
    {
        var run = new VirtualPermits(perMinute, 1);
        for (var i = 0; i < workers; i++)
        {
            run.Add(0.3 * i);
        }

        run.Run(300);

        output.WriteLine($"{run.Used(0, 60) * 60 / perMinute:F3} {run.Used(60, 300) * 60 / perMinute:F3} {run.MostInAMinute()}");
        Assert.InRange(run.MostInAMinute(), 0, perMinute);
        Assert.InRange(run.Used(60, 300) * 60 / perMinute, perMinute < 60 ? 0.9 : 0.95, 1);
        double[] each = [.. Enumerable.Range(0, workers).Select(worker => run.Arrivals.Where(one => one.Worker == worker && one.At > 20).Sum(one => one.Cost))];
        Assert.InRange(each.Max() - each.Min(), 0, Math.Max(3, each.Max() * 0.1));
    }

    [Fact]
    public void Tokens_ThatAreMoreThanASecondsWorth_AreUsedUp()
    {
        var run = new VirtualPermits(100_000, 1) { Cost = static random => 500 + random.Next(8_000) };
        for (var i = 0; i < 4; i++)
        {
            run.Add(0.3 * i);
        }

        run.Run(300);

        output.WriteLine($"{run.Used(60, 300) * 60 / 100_000:F3} {run.MostInAMinute()}");
        Assert.InRange(run.MostInAMinute(), 0, 100_000);
        Assert.InRange(run.Used(60, 300) * 60 / 100_000, 0.9, 1);
    }

    [Fact]
    public void Workers_ThatComeAndGo_AreNoticedWithinFiveSeconds()
    {
        VirtualPermits run = new VirtualPermits(3_000, 1).Add(0).Add(0.3).Add(0.6, 120).Add(60).Run(180);

        output.WriteLine($"{Each(run, 50, 60)} | {Each(run, 65, 110)} | {Each(run, 125, 170)}");
        Assert.InRange(Of(run, 3, 65, 75), 11, 13.5);
        Assert.InRange(Of(run, 0, 65, 75), 11, 13.5);
        Assert.InRange(run.Used(125, 180), 46.5, 50);
        Assert.InRange(Of(run, 0, 125, 135), 14.5, 18);
        Assert.InRange(run.MostInAMinute(), 0, 3_000);
    }

    [Fact]
    public void Idle_Worker_LeavesItsShareToOthers()
    {
        VirtualPermits run = new VirtualPermits(3_000, 1).Add(0).Add(0.3, busy: static now => now % 40 < 20).Run(240);

        output.WriteLine($"{Of(run, 0, 65, 79)} {Of(run, 0, 82, 99)} {run.Used(60, 240) / 50}");
        Assert.InRange(Of(run, 0, 65, 79), 44, 50);
        Assert.InRange(Of(run, 0, 83, 99), 20, 27);
        Assert.InRange(run.Used(60, 240) / 50, 0.93, 1);
        Assert.InRange(run.MostInAMinute(), 0, 3_000);
    }

    [Fact]
    public void Jobs_WithDifferentLimits_KeepTheirOwn_AndUseBothUp()
    {
        // Two workers, each of which works on two jobs.
        VirtualPermits run = new VirtualPermits(3_000, 1).Add(0).Add(0.3, limit: 600).Add(0.6).Add(0.9, limit: 600).Run(240);

        output.WriteLine($"{Each(run, 65, 240)} {run.MostInAMinute()} {run.MostInAMinute(IsLow)}");
        Assert.InRange(run.MostInAMinute(), 0, 3_000);
        Assert.InRange(run.MostInAMinute(IsLow), 0, 600);
        Assert.InRange(run.Used(65, 240) / 50, 0.95, 1);
        Assert.InRange((Of(run, 1, 65, 240) + Of(run, 3, 65, 240)) / 10, 0.93, 1);

        static bool IsLow(int worker) => worker % 2 == 1;
    }

    [Fact]
    public void Decide_SomeStateNoLimits_LimitsOfOthersAreKept()
    {
        ModelReport without = Report(1, []), with = Report(2, [new PermitReport(600, new double[PermitReport.Steps], 0, 0, 10, 1), null, null, null]);
        Decision one = LimitAllocator.Decide(new LimitState(), [], "one", without, 1);
        Decision two = LimitAllocator.Decide(one.State, [one.Member], "two", with, 2);
        Decision again = LimitAllocator.Decide(two.State, [one.Member, two.Member], "one", without with { At = 3 }, 3);

        Assert.Empty(one.Grant.Permits);
        Assert.InRange(two.Grant.Permits[0]!.Amount, 9, 13);
        Assert.True(again.Grant.Learned.Leads);

        static ModelReport Report(double at, PermitReport?[] permits) =>
            new("m", at, permits, null, 0, new LearnedReport(false, false, null, null, 0, Permits.Unlimited, 0, 0));
    }

    [Fact]
    public void Database_AwayForAMinute_StopsSends_AndTheyContinue()
    {
        VirtualPermits run = new VirtualPermits(3_000, 1) { Away = (100, 160) }.Add(0).Add(0.3).Add(0.6).Run(300);

        Assert.InRange(run.Used(104, 160), 0, 0.01);
        Assert.InRange(run.Used(162, 300) / 50, 0.95, 1.02);
        Assert.InRange(run.MostInAMinute(), 0, 3_000);
    }

    [Fact]
    public void AnyWorkers_NeverSendMoreThanTheLimit() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(60).WithReplay(20_261_128, 12_345_677),
        Prop.ForAll(Gen.Choose(0, 1_000_000).ToArbitrary(), static seed =>
        {
            var random = new Random(seed);
            long perMinute = (long)Math.Pow(10, 1 + (3 * random.NextDouble()));
            double largest = random.Next(2) == 0 ? 1 : Math.Max(1, perMinute / (1 + random.Next(50)));
            double away = 20 + (100 * random.NextDouble());
            var run = new VirtualPermits(perMinute, seed)
            {
                Delay = random.Next(2) == 0 ? 0.01 : 1.5,
                Lost = random.Next(2) == 0 ? 0 : 0.2,
                Away = random.Next(3) == 0 ? (away, away + (70 * random.NextDouble())) : (double.PositiveInfinity, double.PositiveInfinity),
                Cost = one => largest == 1 ? 1 : 1 + (one.NextDouble() * (largest - 1)),
            };
            int workers = 1 + random.Next(12);
            for (var i = 0; i < workers; i++)
            {
                double start = 120 * random.NextDouble() * random.Next(2);
                double end = random.Next(2) == 0 ? double.PositiveInfinity : start + (100 * random.NextDouble());
                double period = 1 + (50 * random.NextDouble());
                run.Add(start, end, random.Next(2) == 0 ? null : now => now % period < period / 3);
            }

            run.Run(200);
            return (run.MostInAMinute() <= perMinute + 1e-6).Label($"{run.MostInAMinute()} of {perMinute}, {workers} workers");
        }));

    private static double Of(VirtualPermits run, int worker, double from, double to) =>
        run.Arrivals.Where(one => one.Worker == worker && one.At >= from && one.At < to).Sum(static one => one.Cost) / (to - from);

    private static string Each(VirtualPermits run, double from, double to) =>
        string.Join(" ", Enumerable.Range(0, 4).Select(worker => $"{Of(run, worker, from, to):F1}"));
}
