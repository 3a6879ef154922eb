using System.Globalization;

namespace FastLLM.Benchmarks.Load.Laws;

/// <summary>A server that refuses by some law, and what a client should get out of it.</summary>
/// <param name="Laws">The laws, as the simulator reads them.</param>
/// <param name="Ideal">The answers a second that the laws allow, with as many requests in flight as the case has.</param>
/// <param name="Goodput">The share of them that a client should get once it knows the law.</param>
/// <param name="Refused">The share of sends that may then be refused beyond random refusals.</param>
internal sealed record LawCase(string[] Laws, double Ideal, double Goodput, double Refused)
{
    /// <summary>Gets what refusals say about when to try again, in the form of the simulator; <see langword="null"/> for the correct time.</summary>
    public string? RetryAfter { get; init; }

    /// <summary>Gets a change in mid-run, as the simulator reads it.</summary>
    public string? Change { get; init; }

    public double LatencyMilliseconds { get; init; } = 100;

    /// <summary>Gets the σ of lognormal latencies.</summary>
    public double Sigma { get; init; }

    public int InFlight { get; init; } = 100;

    public double Seconds { get; init; } = 20;

    /// <summary>Gets when the client should know the law: from then on its goodput counts.</summary>
    public double KnownAfter { get; init; } = 5;

    /// <summary>Gets when its refusals begin to count.</summary>
    public double QuietAfter { get; init; } = 10;

    /// <summary>Gets the shortest stretch of time over which the ideal is an average.</summary>
    public double Stretch { get; init; } = 2;

    /// <summary>Gets whether it takes so much of the processor that nothing else should run beside it.</summary>
    public bool IsHeavy => Ideal >= 400;

    public string Name => string.Join(" + ", Laws)
        + (Change is null ? "" : $", then {Change}")
        + (RetryAfter is null ? "" : $", Retry-After {RetryAfter}")
        + (Sigma == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", lognormal {LatencyMilliseconds:0} ms (σ {Sigma})"));

    /// <summary>Gets the arguments of the server.</summary>
    public IReadOnlyList<string> ServerArguments =>
    [
        .. Laws.SelectMany(law => (string[])["--throttle", law]),
        .. Change is null ? (string[])[] : ["--throttle-at", Change],
        .. RetryAfter is null ? (string[])[] : ["--throttle-retry-after", RetryAfter],
    ];

    /// <summary>Gets the cases of the table: all single laws, pairs, wrong <c>Retry-After</c>, and a limit that is halved.</summary>
    /// <remarks>A random refusal is taken to cost a slot as long as an answer does, so 10 % leave 90 % of what the slots could do.</remarks>
    public static IReadOnlyList<LawCase> All { get; } =
    [
        new(["random:10%"], 900, 0.9, 0.03),
        new(["random:30%"], 700, 0.9, 0.03),
        new(["random:50%"], 500, 0.9, 0.03),
        new(["random:10%"], 900, 0.9, 0.03) { RetryAfter = "1" },
        new(["random:30%"], 700, 0.9, 0.03) { RetryAfter = "1" },
        new(["random:50%"], 500, 0.9, 0.03) { RetryAfter = "1" },
        new(["concurrency:20"], 200, 0.92, 0.03),
        new(["concurrency:50"], 500, 0.92, 0.03),
        Slow(20),
        Slow(50),
        new(["bucket:1/s,burst:1"], 1, 0.9, 0.05) { Seconds = 30, KnownAfter = 10, Stretch = 5 },
        new(["bucket:10/s,burst:10"], 10, 0.93, 0.02),
        new(["bucket:50/s,burst:50"], 50, 0.93, 0.02),
        new(["bucket:50/s,burst:1"], 50, 0.93, 0.02),
        new(["bucket:1000/s,burst:1000"], 1000, 0.93, 0.02) { InFlight = 200 },
        Window(["window:500/10s"], 0.9, 0.05),
        Window(["sliding:500/10s"], 0.9, 0.05),
        new(["random:10%", "bucket:50/s,burst:50"], 50, 0.85, 0.05),
        new(["random:10%", "concurrency:20"], 200, 0.85, 0.05),
        new(["concurrency:20", "bucket:100/s,burst:100"], 100, 0.85, 0.05),
        Window(["random:10%", "window:500/10s"], 0.85, 0.05),
        new(["bucket:50/s,burst:50"], 50, 0.8, 0.1) { RetryAfter = "wrong:10x" },
        new(["bucket:50/s,burst:50"], 50, 0.8, 0.1) { RetryAfter = "wrong:0.1x" },
        Window(["sliding:500/10s"], 0.8, 0.1) with { RetryAfter = "wrong:10x" },
        Window(["sliding:500/10s"], 0.8, 0.1) with { RetryAfter = "wrong:0.1x" },
        new(["bucket:100/s,burst:100"], 50, 0.9, 0.05)
        {
            Change = "10s=bucket:50/s,burst:50", Seconds = 30, KnownAfter = 20, QuietAfter = 20,
        },
    ];

    /// <summary>Gets the cases that show that this test still works.</summary>
    public static IReadOnlyList<LawCase> Tiny { get; } =
    [
        Short(new(["random:10%"], 90, 0.9, 0.03) { InFlight = 10 }),
        Short(new(["bucket:20/s,burst:20"], 20, 0.9, 0.05) { InFlight = 10 }),
    ];

    private static LawCase Slow(int limit)
    {
        const double sigma = 0.5;
        return new([$"concurrency:{limit}"], limit / Math.Exp(sigma * sigma / 2), 0.92, 0.03)
        {
            LatencyMilliseconds = 1_000, Sigma = sigma, Seconds = 30, KnownAfter = 10, Stretch = 5,
        };
    }

    // Counted over two whole windows, so that it does not matter where in one the run begins.
    private static LawCase Window(string[] laws, double goodput, double refused) =>
        new(laws, 50, goodput, refused) { Seconds = 30, KnownAfter = 10, Stretch = 10 };

    private static LawCase Short(LawCase one) => one with { Seconds = 2, KnownAfter = 1, QuietAfter = 1, Stretch = 1 };
}
