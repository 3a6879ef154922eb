using FastLLM.Retries;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Retries;

public sealed class BackoffTests
{
    private static readonly Gen<double> Randoms = Gen.Choose(0, 999_999).Select(n => n / 1_000_000.0);
    private static readonly Gen<TimeSpan> Bases = Gen.OneOf(Gen.Choose(0, 120_000).Select(ms => TimeSpan.FromMilliseconds(ms)), Gen.Constant(TimeSpan.MaxValue));
    private static readonly Gen<int> Failures = Gen.OneOf(Gen.Choose(1, 100), Gen.Constant(int.MaxValue));

    [Fact]
    public void Delay_LiesBetweenNothingAndBaseTimesTwoToTheN_AtMostAMinute()
    {
        var cases = from n in Failures from b in Bases from r in Randoms select (N: n, Base: b, Random: r);

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000), Prop.ForAll(cases.ToArbitrary(), c =>
        {
            TimeSpan delay = Backoff.Delay(c.N, c.Base, null, c.Random);
            double ceiling = Math.Min(Backoff.Cap.TotalSeconds, c.Base.TotalSeconds * Math.Pow(2, Math.Min(c.N - 1, 60)));
            return delay >= TimeSpan.Zero && delay.TotalSeconds <= ceiling && Backoff.Cap == TimeSpan.FromMinutes(1);
        }));
    }

    [Fact]
    public void Delay_UsesTheWholeRange()
    {
        Assert.Equal(TimeSpan.Zero, Backoff.Delay(3, TimeSpan.FromSeconds(1), null, 0));
        Assert.Equal(TimeSpan.FromSeconds(2), Backoff.Delay(3, TimeSpan.FromSeconds(1), null, 0.5));
        Assert.Equal([0.5, 1, 2, 4, 8, 16, 30, 30], Enumerable.Range(1, 8).Select(n => Backoff.Delay(n, TimeSpan.FromSeconds(1), null, 0.5).TotalSeconds));
    }

    [Fact]
    public void Ceiling_NeverShrinksWithMoreFailures()
    {
        var cases = from n in Gen.Choose(1, 100) from b in Bases from r in Randoms select (N: n, Base: b, Random: r);

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1000), Prop.ForAll(cases.ToArbitrary(), c =>
            Backoff.Delay(c.N, c.Base, null, c.Random) <= Backoff.Delay(c.N + 1, c.Base, null, c.Random)));
    }

    [Fact]
    public void RetryAfter_IsAMinimum_OnTopOfWhichComesUpToAQuarter()
    {
        var cases = from n in Failures
                    from b in Bases
                    from r in Randoms
                    from asked in Gen.OneOf(Gen.Choose(0, 604_800_000).Select(ms => TimeSpan.FromMilliseconds(ms)), Gen.Choose(0, 5_000).Select(ms => TimeSpan.FromMilliseconds(ms)))
                    select (N: n, Base: b, Random: r, Asked: asked);

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000), Prop.ForAll(cases.ToArbitrary(), c =>
        {
            TimeSpan delay = Backoff.Delay(c.N, c.Base, c.Asked, c.Random);
            TimeSpan own = Backoff.Delay(c.N, c.Base, null, c.Random);
            return delay >= c.Asked && delay >= own && delay <= new[] { own, c.Asked * 1.25 + TimeSpan.FromTicks(1) }.Max();
        }));
        Assert.Equal(TimeSpan.FromSeconds(2.25), Backoff.Delay(1, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), 0.5));
    }

    [Fact]
    public void RetryAfter_OfAProviderOfOnesOwn_MayBeAnything()
    {
        foreach (TimeSpan asked in (TimeSpan[])[TimeSpan.MinValue, TimeSpan.FromTicks(-1), TimeSpan.MaxValue])
        {
            Assert.InRange(Backoff.Delay(1, TimeSpan.FromSeconds(1), asked, 0.9), TimeSpan.Zero, TimeSpan.FromDays(8));
        }
    }

    [Fact]
    public void Jitter_IsAtLeastZeroAndLessThanOne()
    {
        Assert.All(Enumerable.Range(0, 1000), _ => Assert.InRange(Jitter.Next(), 0, Math.BitDecrement(1.0)));
    }
}
