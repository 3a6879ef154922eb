using System.Globalization;
using FastLLM.Benchmarks.Candidates;

namespace FastLLM.Benchmarks.Load;

/// <summary>S1, S2 and S3. Question: what does the client's CPU pay for a request, compared with the raw client and with OpenAI's own?</summary>
internal static class CpuPerRequest
{
    private static readonly Size s_full = new(Requests: 100_000, Warmup: 20_000, Pairs: 5, InFlight: 100);
    private static readonly Size s_tiny = new(Requests: 2_000, Warmup: 500, Pairs: 1, InFlight: 100);

    public static Task<Figure> AgainstRawAsync(Flags flags) => CompareAsync("S1", new RawHttpClient(), "≤ 1.25", "≤ 1.0", flags);

    public static Task<Figure> AgainstSdkAsync(Flags flags) => CompareAsync("S2", new OpenAISdk(), "≤ 0.5", "≤ 0.42", flags);

    public static Task<Figure> OnDiskAgainstRawAsync(Flags flags) => CompareAsync("S3", new RawHttpClient(), "≤ 2.2", "≤ 1.8", flags, onDisk: true);

    private static async Task<Figure> CompareAsync(string id, ICandidate baseline, string bar, string goal, Flags flags, bool onDisk = false)
    {
        Size size = s_full.For(flags, s_tiny);
        var engine = new Engine(flags.Has("--prebuilt"), flags.Has("--read-text"), onDisk);
        IReadOnlyList<(Round Baseline, Round Candidate)> pairs = await Turns.TakeAsync(baseline, engine, size);

        Spread ratio = Spread.Of(pairs.Select(pair => pair.Candidate.CpuMicroseconds / pair.Baseline.CpuMicroseconds));
        return new Figure(id, $"client CPU of {engine.Name} / {baseline.Name}, {size.InFlight} in flight, no latency", bar, goal,
            $"{ratio.Print()}; {Describe(pairs.Select(pair => pair.Candidate))} against {Describe(pairs.Select(pair => pair.Baseline))}");
    }

    private static string Describe(IEnumerable<Round> rounds) => string.Create(
        CultureInfo.InvariantCulture,
        $"{Spread.Of(rounds.Select(round => round.CpuMicroseconds)).Median:F1} µs and {Spread.Of(rounds.Select(round => round.Bytes)).Median:N0} B a request, {Spread.Of(rounds.Select(round => round.PerSecond)).Median:N0}/s");
}
