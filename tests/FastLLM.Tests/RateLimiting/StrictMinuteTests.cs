using System.Text;
using FastLLM.RateLimiting;
using FastLLM.TestKit;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>No 60 seconds hold more than a configured limit, counted strictly at receipt, and at least 97 % of it is used.</summary>
public sealed class StrictMinuteTests
{
    private const int Seconds = 300;

    private static int s_turn;

    /// <summary>Name, limits, latency, and the rows: prompt bytes, bytes of a token, allowed output, real output.</summary>
    public static TheoryData<string, RateLimits, double, Func<Random, (int Bytes, double BytesPerToken, int? Allowed, int Answer)>> Loads => new()
    {
        { "requests", new() { RequestsPerMinute = 300 }, 0.3, static _ => (40, 4, 100, 100) },
        { "few requests", new() { RequestsPerMinute = 6 }, 5, static _ => (40, 4, 100, 100) },
        { "many requests", new() { RequestsPerMinute = 60_000 }, 0.3, static _ => (40, 4, 100, 100) },
        { "slow answers", new() { RequestsPerMinute = 300 }, 20, static _ => (40, 4, 100, 100) },
        { "tokens", new() { TokensPerMinute = 60_000 }, 0.5, static random => (random.Next(40, 2000), 4, 100, 100) },
        { "dense text", new() { TokensPerMinute = 60_000 }, 0.5, static random => (-random.Next(40, 800), 1, 50, 50) },
        { "denser than any tokenizer", new() { TokensPerMinute = 60_000 }, 0.5, static random => (random.Next(40, 800), 0.7, 50, 50) },
        {
            "prose and dense text", new() { TokensPerMinute = 60_000 }, 0.5,
            static random => random.Next(4) == 0 ? (-random.Next(40, 800), 1.1, 50, 50) : (random.Next(40, 2000), 4.3, 50, 50)
        },
        { "answers of unknown length", new() { TokensPerMinute = 120_000 }, 0.5, static random => (400, 4, null, random.Next(50, 100)) },
        {
            "kinds of text in turn, answers shorter than allowed", new() { TokensPerMinute = 60_000 }, 3,
            static random => s_turn++ % 2 == 0 ? (-random.Next(150, 700), 1.1, 200, random.Next(20, 200)) : (random.Next(600, 2800), 4.3, 200, random.Next(20, 200))
        },
        { "a third of the limit each", new() { TokensPerMinute = 60_000 }, 2, static _ => (4_000, 4, 19_000, 18_800) },
        {
            "rows long in prompt or in answer", new() { InputTokensPerMinute = 60_000, OutputTokensPerMinute = 60_000 }, 0.5,
            static random => s_turn++ % 10 < 5 ? (4 * random.Next(800, 1600), 4, 50, 50) : (4 * 50, 4, 1_200, random.Next(800, 1_200))
        },
        {
            "prompts and answers", new() { InputTokensPerMinute = 60_000, OutputTokensPerMinute = 20_000 }, 0.5,
            static random => (4 * random.Next(200, 700), 4, 150, 150)
        },
    };

    [Theory]
    [MemberData(nameof(Loads), DisableDiscoveryEnumeration = true)]
    public void AnyMinute_HoldsNoMoreThanTheLimit_AndUsesIt(
        string name, RateLimits limits, double latency, Func<Random, (int Bytes, double BytesPerToken, int? Allowed, int Answer)> row)
    {
        using var model = new StrictModel(limits, latency, row, seed: 7);
        model.Run(Seconds);

        model.AssertNoOverrun(name);
        Assert.True(model.Share(Seconds) >= 0.97, $"{name}: {model.Share(Seconds):P2} used");
    }

    /// <summary>Twelve in flight may take 15,000 tokens, and take 5,000: no minute may pass the limit if they did.</summary>
    [Fact]
    public void AnswersFarShorterThanAllowed_LeaveUnusedOnlyWhatThoseInFlightMayTake()
    {
        using var model = new StrictModel(
            new RateLimits { TokensPerMinute = 60_000 }, 5, static random => (800, 4, 1_000, random.Next(100, 300)), seed: 7);
        model.Run(Seconds);

        model.AssertNoOverrun("short answers");
        Assert.True(model.Share(Seconds) >= 0.8, $"{model.Share(Seconds):P2} used");
    }

    [Fact]
    public void RequestOfMoreThanHalfTheLimit_WaitsForItsRoom()
    {
        using var model = new StrictModel(new RateLimits { TokensPerMinute = 60_000 }, 2, static _ => (4_000, 4, 47_000, 47_000), seed: 1);
        model.Run(Seconds);

        model.AssertNoOverrun("48,000 tokens each");
        Assert.Equal(5, model.Arrivals.Count);
    }

    [Theory]
    [InlineData(5.5, 0.2)]
    [InlineData(30, 3)]
    [InlineData(59.9, 0.05)]
    [InlineData(59.9, 20)]
    public void ProcessThatIsKilledAndResumed_NeverOverruns(double killedAfter, double pause)
    {
        var limits = new RateLimits { RequestsPerMinute = 300, TokensPerMinute = 60_000 };
        Func<Random, (int, double, int?, int)> row = static random => (random.Next(40, 300), 4, 100, 100);
        SentMinute? sent = null;
        var announcedAt = 0.0;
        using var killed = new StrictModel(limits, 0.5, row, seed: 3);
        killed.Limiters.Continue([], 0, one => (sent, announcedAt) = (one, killed.Seconds));
        killed.Run(killedAfter);

        using var resumed = new StrictModel(limits, 0.5, row, seed: 4);
        resumed.Limiters.Continue([sent!], killed.Seconds - announcedAt + pause, static _ => { });
        resumed.Run(130);

        double start = killed.Seconds + pause;
        resumed.Arrivals.InsertRange(0, killed.Arrivals.Select(one => (one.At - start, one.Prompt, one.Answer)));
        resumed.AssertNoOverrun($"killed after {killedAfter} s");
        Assert.InRange(resumed.Arrivals.Count(one => one.At >= 60 && one.At < 120), 285, 300);
    }

    [Theory]
    [InlineData(6.5, 0.2, 100)]
    [InlineData(11, 3_600, 100)]
    [InlineData(11, 100_000, 0)]
    public void ProcessThatIsKilledAndResumedWithinTheDay_ContinuesItsCount(double killedAfter, double pause, int counted)
    {
        var limits = new RateLimits { RequestsPerDay = 100, RequestsPerMinute = 300 };
        SentMinute? sent = null;
        var announcedAt = 0.0;
        using var killed = new StrictModel(limits, 0.5, static _ => (40, 4, 100, 100), seed: 3);
        killed.Limiters.Continue([], 0, one => (sent, announcedAt) = (one, killed.Seconds));
        killed.Run(killedAfter);

        using var resumed = new StrictModel(limits, 0.5, static _ => (40, 4, 100, 100), seed: 4);
        resumed.Limiters.Continue([sent!], killed.Seconds - announcedAt + pause, static _ => { });
        resumed.Run(60);

        // What was written to the wire, plus at most the one request that may have been sent after the last announcement.
        Assert.InRange(killed.Arrivals.Count, 20, 60);
        Assert.InRange(resumed.Arrivals.Count + (counted > 0 ? killed.Arrivals.Count : 0), 95, 100);
    }

    [Fact]
    public void Announcements_OfTwoJobs_BothKnowWhatIsSent()
    {
        var limits = new RateLimits { RequestsPerMinute = 300 };
        double one = 0, other = 0;
        Action<SentMinute> first = sent => one = sent.Amounts[0].Skip(1).Sum(), second = sent => other = sent.Amounts[0].Skip(1).Sum();
        using var model = new StrictModel(limits, 0.5, static _ => (40, 4, 100, 100), seed: 3);
        model.Limiters.Continue([], 0, first);
        model.Limiters.Continue([], 0, second);
        model.Run(10);
        double before = one;

        model.Limiters.EndAnnouncements(second);
        model.Limiters.EndAnnouncements(first);

        Assert.InRange(before, 30, 60);
        Assert.Equal(one, other);
        Assert.InRange(one, before, before + 10);
    }

    [Fact]
    public void AnyLoad_NeverOverrunsRequests() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(40),
        Prop.ForAll(
            (from perMinute in Gen.Choose(1, 400)
             from latency in Gen.Choose(1, 300)
             from seed in Gen.Choose(0, 1_000)
             select (perMinute, latency / 10.0, seed)).ToArbitrary(),
            course =>
            {
                using var model = new StrictModel(
                    new RateLimits { RequestsPerMinute = course.perMinute }, course.Item2, static _ => (40, 4, 100, 100), course.seed, failures: true);
                model.Run(150);
                model.AssertNoOverrun($"{course}");
            }));

    [Fact]
    public void AnyLoad_NeverOverrunsTokens() => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(40),
        Prop.ForAll(
            (from perMinute in Gen.Choose(20_000, 400_000)
             from latency in Gen.Choose(1, 100)
             from largest in Gen.Choose(100, 18_000)
             from seed in Gen.Choose(0, 1_000)
             select (perMinute, latency / 10.0, largest, seed)).ToArbitrary(),
            course =>
            {
                using var model = new StrictModel(
                    new RateLimits { TokensPerMinute = course.perMinute }, course.Item2,
                    random => (random.Next(4, course.largest * 2), 4, course.largest / 2, random.Next(course.largest / 2)), course.seed, failures: true);
                model.Run(150);
                model.AssertNoOverrun($"{course}");
            }));

    /// <summary>Workers that always have a next row, and a server that counts at receipt, up to 0.4 s after the send; on the manual clock.</summary>
    private sealed class StrictModel : IDisposable
    {
        private readonly ManualTimeProvider _time = new();
        private readonly RateLimits _limits;
        private readonly double _latency;
        private readonly Func<Random, (int Bytes, double BytesPerToken, int? Allowed, int Answer)> _row;
        private readonly Random _random;
        private readonly bool _failures;
        private readonly RateLimiters _limiters;
        private readonly ModelRateLimiter _limiter;
        private readonly List<(RateLease Lease, int Prompt, int Answer)> _waiting = [];
        private bool _isOver;

        public StrictModel(
            RateLimits limits, double latency, Func<Random, (int Bytes, double BytesPerToken, int? Allowed, int Answer)> row, int seed, bool failures = false)
        {
            (_limits, _latency, _row, _random, _failures) = (limits, latency, row, new Random(seed), failures);
            _limiters = new RateLimiters(2_000, adaptive: false, _time, limits);
            _limiter = _limiters.Of("m");
        }

        public RateLimiters Limiters => _limiters;

        public double Seconds => _time.Elapsed.TotalSeconds;

        public List<(double At, int Prompt, int Answer)> Arrivals { get; } = [];

        public void Run(double seconds)
        {
            for (var i = 0; i < 600; i++)
            {
                Enter();
            }

            Pump();
            while (_time.Elapsed.TotalSeconds < seconds && _time.AdvanceToNext())
            {
                Pump();
            }

            _isOver = true;
        }

        /// <summary>The share that is used of the limit that binds.</summary>
        public double Share(double seconds) => Axes().Max(axis => Arrivals.Sum(axis.Of) / (double)axis.Limit / seconds * 60);

        public void AssertNoOverrun(string name)
        {
            Arrivals.Sort();
            foreach ((long limit, Func<(double At, int Prompt, int Answer), long> of) in Axes())
            {
                long sum = 0;
                var oldest = 0;
                foreach ((double At, int Prompt, int Answer) arrival in Arrivals)
                {
                    sum += of(arrival);
                    for (; Arrivals[oldest].At <= arrival.At - 60; oldest++)
                    {
                        sum -= of(Arrivals[oldest]);
                    }

                    Assert.True(sum <= limit, $"{name}: {sum:N0} of {limit:N0} in the minute before {arrival.At:N3} s");
                }
            }
        }

        public void Dispose() => _limiters.Dispose();

        private IEnumerable<(long Limit, Func<(double At, int Prompt, int Answer), long> Of)> Axes()
        {
            (long?, Func<(double At, int Prompt, int Answer), long>)[] axes =
            [
                (_limits.RequestsPerMinute, static _ => 1), (_limits.TokensPerMinute, static one => one.Prompt + one.Answer),
                (_limits.InputTokensPerMinute, static one => one.Prompt), (_limits.OutputTokensPerMinute, static one => one.Answer),
            ];
            return axes.Where(axis => axis.Item1 is not null).Select(axis => (axis.Item1!.Value, axis.Item2));
        }

        private void Enter()
        {
            (int bytes, double bytesPerToken, int? allowed, int answer) = _row(_random);
            var lease = new RateLease { Since = -1 };
            string text = bytes < 0 ? new('7', -bytes) : string.Create(bytes, 0, static (letters, _) =>
            {
                for (var i = 0; i < letters.Length; i++)
                {
                    letters[i] = i % 6 == 5 ? ' ' : 'a';
                }
            });
            string limit = allowed is { } most ? $",\"max_tokens\":{most}" : "";
            LlmException? refusal = _limiter.Prepare(lease, LlmRequest.FromBody(
                Endpoints.ChatCompletions, Encoding.UTF8.GetBytes($$"""{"model":"m","messages":[{"role":"","content":"{{text}}"}]{{limit}}}""")));
            Assert.Null(refusal);
            _ = _limiter.EnterAsync(lease, isRetry: false, CancellationToken.None).AsTask();
            _waiting.Add((lease, (int)Math.Ceiling((text.Length + 1) / bytesPerToken), answer));
        }

        private void Pump()
        {
            while (_waiting.FindIndex(static one => one.Lease.Since >= 0) is >= 0 and var first)
            {
                (RateLease lease, int prompt, int answer) = _waiting[first];
                _waiting.RemoveAt(first);

                // Until a connection stands, nothing is written.
                After(_random.Next(50) == 0 ? 3 * _random.NextDouble() : 0.0001, () =>
                {
                    _limiter.Sent(lease);
                    After(0.4 * _random.NextDouble(), () =>
                    {
                        Arrivals.Add((_time.Elapsed.TotalSeconds, prompt, answer));
                        After(_latency * (0.7 + (0.6 * _random.NextDouble())), () => End(lease, prompt, answer));
                    });
                });
            }
        }

        private void End(RateLease lease, int prompt, int answer)
        {
            bool fails = _failures && _random.Next(10) == 0;
            _limiter.Leave(lease, fails ? LeaseEnd.Failed : LeaseEnd.Answered, fails ? null : new Usage { PromptTokens = prompt, CompletionTokens = answer });
            Enter();
        }

        private void After(double seconds, Action action)
        {
            ITimer? timer = null;
            timer = _time.CreateTimer(
                _ =>
                {
                    timer?.Dispose();
                    if (!_isOver)
                    {
                        action();
                    }
                },
                null, TimeSpan.FromSeconds(Math.Max(seconds, 1e-4)), Timeout.InfiniteTimeSpan);
        }
    }
}
