using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>Laws, latencies and clients of all kinds, on virtual time.</summary>
public sealed class LearningLimiterPropertyTests
{
    private static Arbitrary<int> Seeds => Gen.Choose(0, 1_000_000).ToArbitrary();

    [Fact]
    public void OneLaw_OfAnyKind_IsUsedUp() => Check.One(Fixed(60), Prop.ForAll(Seeds, static seed =>
    {
        (bool isUsedUp, string figures) = UsesUp(seed);
        return isUsedUp.Label(figures);
    }));

    // Large windows far away were used at a tenth of their rate, and rates were cut to nothing where all of a few sends were refused.
    [Theory]
    [InlineData(98)]
    [InlineData(138)]
    [InlineData(471)]
    [InlineData(314)]
    [InlineData(2385)]
    public void OneLaw_ThatWasMisjudged_IsUsedUp(int seed)
    {
        (bool isUsedUp, string figures) = UsesUp(seed);

        Assert.True(isUsedUp, figures);
    }

    [Fact]
    public void AnyLaws_NeverStandStill_NorExceedTheCeiling() => Check.One(Fixed(100), Prop.ForAll(Seeds, static seed =>
    {
        var random = new Random(seed);
        Client client = Client.Any(random, slowest: 30);
        int first = random.Next(5);
        (VirtualLaw law, _, _) = Any(random, first, client, fewest: 1);
        (VirtualLaw other, _, _) = Any(random, (first + 1 + random.Next(4)) % 5, client, fewest: 1);
        VirtualRun run = client.Against(new LawsTogether(law, other), seed).Run(120);

        // As long as slots are free: all that answers keep waiting may be in flight.
        return (run.LongestFreePause < 10 && run.MaxInFlight <= client.Concurrency)
            .Label($"{law}, {other}, {client}: {run.LongestFreePause} s, {run.MaxInFlight} in flight");
    }));

    private static Config Fixed(int tests) => Config.QuickThrowOnFailure.WithMaxTest(tests).WithReplay(20_261_128, 12_345_677);

    private static (bool IsUsedUp, string Figures) UsesUp(int seed)
    {
        var random = new Random(seed);
        Client client = Client.Any(random, slowest: 3);
        (VirtualLaw law, double ideal, double noise) = Any(random, random.Next(5), client, fewest: 10);
        VirtualRun run = client.Against(law, seed).Run(180);
        double from = 60 + (4 * client.MeanLatency);
        double goodput = run.Goodput(from, 180) / ideal;
        double refused = run.Refused(from, 180);

        // Where the way takes as long as an answer, the provider's slots are used up only if some sends are refused.
        bool isUsedUp = goodput > 0.6 && (refused - noise < 0.2 || goodput > 1.5);
        return (isUsedUp, $"{law}, {client}: {goodput:P0} of {ideal:F1}/s, {refused:P0} refused");
    }

    private static (VirtualLaw Law, double Ideal, double Noise) Any(Random random, int kind, Client client, double fewest)
    {
        double natural = client.Concurrency / (client.MeanLatency + client.Travel);
        double rate = Math.Clamp(natural * Math.Pow(10, -1.3 * random.NextDouble()), 0.5, 2000);
        int inTenSeconds = (int)Math.Max(10 * Math.Max(rate, fewest), 5);
        int slots = (int)Math.Max(client.Concurrency * Math.Pow(10, -1.2 * random.NextDouble()), 2);
        double share = new[] { 0.02, 0.1, 0.3, 0.5 }[random.Next(4)];
        double refusedFor = 2 * client.Travel * share / (1 - share);
        double burst = Math.Max(rate * new[] { 0.1, 0.2, 1 }[random.Next(3)], 2);
        return kind switch
        {
            0 => (new RandomLaw(share), client.Concurrency / (client.MeanLatency + client.Travel + refusedFor), share),
            1 => (new InFlightLaw(slots), slots / (client.MeanLatency + (3 * client.Travel)), 0),
            2 => (new BucketLaw(rate, burst), Math.Min(rate, natural), 0),
            3 => (new WindowLaw(inTenSeconds, 10, 10 * random.NextDouble()), Math.Min(inTenSeconds / 10.0, natural), 0),
            _ => (new SlidingLaw(inTenSeconds, 10), Math.Min(inTenSeconds / 10.0, natural), 0),
        };
    }

    private sealed record Client(int Concurrency, bool SlowStart, double Latency, double Sigma, double Travel, double RetryAfter)
    {
        public double MeanLatency => Latency * Math.Exp(Sigma * Sigma / 2);

        // At most about 3,000 answers a second, so that the tests stay fast.
        public static Client Any(Random random, double slowest)
        {
            var concurrency = (int)Math.Pow(10, 1.3 + (1.4 * random.NextDouble()));
            double latency = Math.Max(0.01 * Math.Pow(slowest / 0.01, random.NextDouble()), concurrency / 3000.0);
            return Any(random, concurrency, latency);
        }

        private static Client Any(Random random, int concurrency, double latency) => new(
            concurrency,
            random.Next(3) == 0,
            latency,
            random.Next(2) * random.NextDouble(),
            random.Next(3) == 0 ? 0.02 : 0.001,
            new[] { 0, 1, 0.1, 10 }[random.Next(4)]);

        public VirtualRun Against(VirtualLaw law, int seed) => new(law)
        {
            Concurrency = Concurrency,
            SlowStart = SlowStart,
            Latency = Latency,
            Sigma = Sigma,
            Travel = Travel,
            RetryAfter = RetryAfter,
            Seed = seed,
        };
    }
}
