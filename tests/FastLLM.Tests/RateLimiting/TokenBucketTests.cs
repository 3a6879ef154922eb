using FastLLM.Pipeline;
using FastLLM.RateLimiting;
using FastLLM.TestKit;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

public sealed class TokenBucketTests
{
    private const double Burst = 0.5;

    private static readonly Gen<(int PerMinute, List<(double Pause, int Cost, double Given, bool Corrected)> Steps)> s_courses =
        from perMinute in Gen.Choose(1, 100_000)
        from steps in (from pause in Gen.Choose(0, 3000)
                       from cost in Gen.Choose(1, Math.Max(2, perMinute / 20))
                       from given in Gen.Choose(0, 100)
                       from corrected in Gen.Elements(true, false, false)
                       select (pause / 1000.0, cost, given / 100.0, corrected)).ListOf(60)
        select (perMinute, steps.ToList());

    [Fact]
    public void NeverMoreIsTakenThanTheLimitAndABurst_BetweenAnyTwoMoments() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(150), Prop.ForAll(s_courses.ToArbitrary(), course =>
        {
            var bucket = new TokenBucket(course.PerMinute);
            double perSecond = course.PerMinute / 60.0;
            double now = 5;
            var taken = new List<(double At, int Cost)>();
            foreach ((double pause, int cost, _, bool corrected) in course.Steps)
            {
                now += pause;
                if (corrected)
                {
                    bucket.Correct(now, cost);
                }

                now += bucket.Wait(now, cost);
                bucket.Take(now, cost);
                taken.Add((now, cost));
            }

            // One that is larger than the bucket goes when it is full: the bound is the larger of the two.
            double largest = Math.Max(Burst * perSecond, course.Steps.Max(step => step.Cost));
            return taken.Select((first, i) => taken.Skip(i).Where(last => last.At >= first.At).All(last =>
                taken.Where(send => send.At >= first.At && send.At <= last.At).Sum(send => send.Cost)
                    <= ((last.At - first.At) * perSecond) + (Burst * perSecond) + largest + 1e-6)).All(ok => ok);
        }));

    [Fact]
    public void ALedgerThatIsSettled_IsWhereItWouldBeHadTheGuessesBeenRight() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(s_courses.ToArbitrary(), course =>
        {
            var guessed = new TokenLedger(course.PerMinute);
            var known = new TokenLedger(course.PerMinute);
            var open = new List<(TokenLedger.Entry Entry, double Used)>();
            double now = 5;
            foreach ((double pause, int cost, double used, bool corrected) in course.Steps)
            {
                now += pause + guessed.Wait(now + pause, cost);
                open.Add((guessed.Take(now, cost), cost * used));
                known.Take(now, cost * used);
                if (corrected)
                {
                    open.ForEach(entry => guessed.Settle(entry.Entry, entry.Used));
                    open.Clear();
                }
            }

            open.ForEach(entry => guessed.Settle(entry.Entry, entry.Used));
            return Math.Abs(guessed.Wait(now, 1) - known.Wait(now, 1)) < 1e-6;
        }));

    [Fact]
    public async Task AtALimit_TheyAreServedInTheOrderInWhichTheyCame_RetriesFirst()
    {
        var time = new ManualTimeProvider();
        using var limiters = new RateLimiters(1000, adaptive: false, time, new RateLimits { RequestsPerMinute = 120 });
        ModelRateLimiter limiter = limiters.Of("m");
        var leases = Enumerable.Range(0, 40).Select(i => (Lease: new RateLease { Since = -1 }, IsRetry: i % 5 == 3)).ToList();
        Task[] entering = [.. leases.Select(lease => limiter.EnterAsync(lease.Lease, lease.IsRetry, TestContext.Current.CancellationToken).AsTask())];
        for (var i = 0; i < 400; i++)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
        }

        await Task.WhenAll(entering);
        double first = leases.Min(lease => lease.Lease.Since);
        List<int> order = [.. Enumerable.Range(0, 40).OrderBy(i => leases[i].Lease.Since).SkipWhile(i => leases[i].Lease.Since == first)];
        List<int> waited = [.. Enumerable.Range(0, 40).Where(i => leases[i].Lease.Since > first)];
        Assert.Equal([.. waited.Where(i => leases[i].IsRetry), .. waited.Where(i => !leases[i].IsRetry)], order);
    }
}
