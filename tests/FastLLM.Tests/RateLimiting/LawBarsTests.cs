using Xunit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>The laws and bars of <c>docs/limits.md</c> on virtual time, as the benchmark S13 measures them, over twenty runs that differ by
/// chance, half of them on a busy machine.</summary>
/// <remarks>Beside random refusals a limit is seen only by chance, so not every run meets the bars.</remarks>
public sealed class LawBarsTests
{
    private const int Runs = 20;
    private const double Lognormal = 0.5;

    private static readonly double s_mean = Math.Exp(Lognormal * Lognormal / 2);

    private static readonly Dictionary<string, Bars> s_cases = new()
    {
        ["random 10 %"] = new(static () => new RandomLaw(0.1), 900, 0.9, 0.03) { Noise = 0.1 },
        ["random 30 %"] = new(static () => new RandomLaw(0.3), 700, 0.9, 0.03) { Noise = 0.3 },
        ["random 50 %"] = new(static () => new RandomLaw(0.5), 500, 0.9, 0.03) { Noise = 0.5 },
        ["20 in flight"] = new(static () => new InFlightLaw(20), 200, 0.92, 0.03),
        ["50 in flight"] = new(static () => new InFlightLaw(50), 500, 0.92, 0.03),
        ["20 in flight, lognormal"] = new(static () => new InFlightLaw(20), 20 / s_mean, 0.92, 0.03) { Latency = 1, Sigma = Lognormal, Seconds = 30, KnownAfter = 10 },
        ["20 in flight, far away"] = new(static () => new InFlightLaw(20), 20 / 0.14, 0.9, 0.03) { Sigma = 0.7, Travel = 0.02, Seconds = 300, KnownAfter = 150 },
        ["1 a second"] = new(static () => new BucketLaw(1, 1), 1, 0.9, 0.05) { RetryAfter = 1, Seconds = 30, KnownAfter = 10 },
        ["10 a second"] = new(static () => new BucketLaw(10, 10), 10, 0.93, 0.02) { RetryAfter = 1 },
        ["50 a second"] = new(static () => new BucketLaw(50, 50), 50, 0.93, 0.02) { RetryAfter = 1 },
        ["50 a second, 10 at once"] = new(static () => new BucketLaw(50, 10), 50, 0.93, 0.02) { RetryAfter = 1 },
        ["1000 a second"] = new(static () => new BucketLaw(1000, 1000), 1000, 0.93, 0.02) { RetryAfter = 1, InFlight = 200 },
        ["window"] = new(static () => new WindowLaw(500, 10), 50, 0.98, 0.05) { RetryAfter = 1, Seconds = 30, KnownAfter = 10 },
        ["window, 4 s old"] = AgedWindow(4),
        ["window, 5 s old"] = AgedWindow(5),
        ["window, 6 s old"] = AgedWindow(6),
        ["window, 9 s old"] = AgedWindow(9),
        ["window of 5 s"] = new(static () => new WindowLaw(250, 5), 50, 0.98, 0.05) { RetryAfter = 1, Seconds = 30, KnownAfter = 10 },
        ["sliding"] = new(static () => new SlidingLaw(500, 10), 50, 0.98, 0.05) { RetryAfter = 1, Seconds = 30, KnownAfter = 10 },
        ["random and 50 a second"] = new(static () => new LawsTogether(new RandomLaw(0.1), new BucketLaw(50, 50)), 50, 0.85, 0.05) { RetryAfter = 1, Noise = 0.1 },
        ["random 30 % and 50 a second"] = new(static () => new LawsTogether(new RandomLaw(0.3), new BucketLaw(50, 50)), 50, 0.85, 0.05) { RetryAfter = 1, Noise = 0.3 },
        ["random and 20 in flight, lognormal"] = new(static () => new LawsTogether(new RandomLaw(0.1), new InFlightLaw(20)), 20 / s_mean, 0.85, 0.05) { Noise = 0.1, Latency = 1, Sigma = Lognormal, Seconds = 30, KnownAfter = 10 },
        ["random and 1000 a second"] = new(static () => new LawsTogether(new RandomLaw(0.1), new BucketLaw(1000, 1000)), 1000, 0.85, 0.05) { RetryAfter = 1, Noise = 0.1, InFlight = 200 },
        ["random and 20 in flight"] = new(static () => new LawsTogether(new RandomLaw(0.1), new InFlightLaw(20)), 200, 0.85, 0.05) { Noise = 0.1 },
        ["20 in flight and 100 a second"] = new(static () => new LawsTogether(new InFlightLaw(20), new BucketLaw(100, 100)), 100, 0.85, 0.05) { RetryAfter = 1 },
        ["20 in flight and window"] = new(static () => new LawsTogether(new InFlightLaw(20), new WindowLaw(500, 10)), 50, 0.85, 0.05) { RetryAfter = 1, Seconds = 30, KnownAfter = 10 },
        ["20 in flight and sliding"] = new(static () => new LawsTogether(new InFlightLaw(20), new SlidingLaw(500, 10)), 50, 0.85, 0.05) { RetryAfter = 1, Seconds = 30, KnownAfter = 10 },
        ["100 a second and window"] = new(static () => new LawsTogether(new BucketLaw(100, 100), new WindowLaw(500, 10)), 50, 0.85, 0.05) { RetryAfter = 1, Seconds = 30, KnownAfter = 10 },
        ["random and window, 6 s old"] = new(static () => new LawsTogether(new RandomLaw(0.1), new WindowLaw(500, 10, 6)), 50, 0.85, 0.05) { RetryAfter = 1, Noise = 0.1, Seconds = 30, KnownAfter = 10 },
        ["random and window"] = new(static () => new LawsTogether(new RandomLaw(0.1), new WindowLaw(500, 10)), 50, 0.85, 0.05) { RetryAfter = 1, Noise = 0.1, Seconds = 30, KnownAfter = 10 },
        ["Retry-After too long"] = new(static () => new BucketLaw(50, 50), 50, 0.8, 0.1) { RetryAfter = 10 },
        ["Retry-After too short"] = new(static () => new BucketLaw(50, 50), 50, 0.8, 0.1) { RetryAfter = 0.1 },
        ["sliding, Retry-After too long"] = new(static () => new SlidingLaw(500, 10), 50, 0.8, 0.1) { RetryAfter = 10, Seconds = 30, KnownAfter = 10 },
        ["sliding, Retry-After too short"] = new(static () => new SlidingLaw(500, 10), 50, 0.8, 0.1) { RetryAfter = 0.1, Seconds = 30, KnownAfter = 10 },
        ["limit halved"] = new(static () => new LawChange(new BucketLaw(100, 100), 10, new BucketLaw(50, 50)), 50, 0.9, 0.05) { RetryAfter = 1, Seconds = 30, KnownAfter = 20 },
    };

    [Theory]
    [InlineData("random 10 %", 19)]
    [InlineData("random 30 %", 20)]
    [InlineData("random 50 %", 20)]
    [InlineData("20 in flight", 20)]
    [InlineData("50 in flight", 20)]
    [InlineData("20 in flight, lognormal", 20)]
    [InlineData("20 in flight, far away", 16)]
    [InlineData("1 a second", 19)]
    [InlineData("10 a second", 20)]
    [InlineData("50 a second", 20)]
    [InlineData("50 a second, 10 at once", 19)]
    [InlineData("1000 a second", 20)]
    [InlineData("window", 20)]
    [InlineData("window, 4 s old", 20)]
    [InlineData("window, 5 s old", 20)]
    [InlineData("window, 6 s old", 20)]
    [InlineData("window, 9 s old", 20)]
    [InlineData("window of 5 s", 19)]
    [InlineData("sliding", 20)]
    [InlineData("random and 50 a second", 17)]
    [InlineData("random 30 % and 50 a second", 14)]
    [InlineData("random and 20 in flight, lognormal", 13)]
    [InlineData("random and 1000 a second", 17)]
    [InlineData("random and 20 in flight", 19)]
    [InlineData("20 in flight and 100 a second", 20)]
    [InlineData("20 in flight and window", 20)]
    [InlineData("20 in flight and sliding", 18)]
    [InlineData("100 a second and window", 19)]
    [InlineData("random and window", 19)]
    [InlineData("random and window, 6 s old", 19)]
    [InlineData("Retry-After too long", 20)]
    [InlineData("Retry-After too short", 20)]
    [InlineData("sliding, Retry-After too long", 20)]
    [InlineData("sliding, Retry-After too short", 20)]
    [InlineData("limit halved", 18)]
    public void Law_RunsMeetItsBars(string law, int fewest)
    {
        Bars bars = s_cases[law];
        var met = 0;
        List<string> figures = [];
        for (var seed = 1; seed <= Runs; seed++)
        {
            VirtualRun run = bars.Run(seed);
            double goodput = run.Goodput(bars.KnownAfter, bars.Seconds) / bars.Ideal;
            double refused = run.Refused(Math.Max(bars.KnownAfter, 10), bars.Seconds) - bars.Noise;
            met += goodput >= bars.Goodput && refused <= bars.Refused ? 1 : 0;
            figures.Add(FormattableString.Invariant($"{goodput:F2}/{refused:F3}"));
        }

        Assert.True(met >= fewest, FormattableString.Invariant($"{law}: {met} of {Runs} meet their bars: {string.Join(' ', figures)}"));
    }

    // All of these rates once stood at a tenth of what is accepted: the noise was measured too low, and each try for more was given up.
    [Theory]
    [InlineData(0.1, 101)]
    [InlineData(0.1, 106)]
    [InlineData(0.3, 37)]
    public void Noise_MeasuredTooLowAtFirst_DoesNotKeepTheRateDown(double share, int seed)
    {
        Bars bars = new(() => new RandomLaw(share), 100 / 0.1, 0.9, 0.03) { Seconds = 30 };

        Assert.InRange(bars.Run(seed, isBusy: false).Goodput(15, 30) / 1000, 0.9 * (1 - share), 1.1);
    }

    // Half of the probes were refused at random, and the next one came up to five seconds later: no window was used for twenty seconds.
    [Theory]
    [InlineData(24)]
    [InlineData(52)]
    [InlineData(108)]
    public void Windows_BesideMuchNoise_AreFound(int seed)
    {
        Bars bars = new(static () => new LawsTogether(new RandomLaw(0.5), new WindowLaw(500, 10)), 50, 0.5, 0.05) { RetryAfter = 1, Seconds = 30 };

        Assert.InRange(bars.Run(seed).Goodput(10, 30) / 50, 0.49, 1.01);
    }

    // Nothing of it is used yet.
    private static Bars AgedWindow(double age) =>
        new(() => new WindowLaw(500, 10, age), 50, 0.98, 0.05) { RetryAfter = 1, Seconds = 30, KnownAfter = 10 };

    private sealed record Bars(Func<VirtualLaw> Law, double Ideal, double Goodput, double Refused)
    {
        public double Noise { get; init; }

        public double Latency { get; init; } = 0.1;

        public double Sigma { get; init; }

        public double RetryAfter { get; init; }

        public double Travel { get; init; } = 0.0005;

        public int InFlight { get; init; } = 100;

        public double Seconds { get; init; } = 20;

        public double KnownAfter { get; init; } = 5;

        public VirtualRun Run(int seed, bool? isBusy = null) => new VirtualRun(Law())
        {
            Concurrency = InFlight,
            Latency = Latency,
            Sigma = Sigma,
            RetryAfter = RetryAfter,
            Travel = Travel,
            Jitter = 0.6,
            FirstSend = 0.01,
            Seed = seed,
            IsBusy = isBusy ?? seed % 2 == 0,
        }.Run(Seconds);
    }
}
