using System.Globalization;
using FastLLM.Benchmarks.Candidates;

namespace FastLLM.Benchmarks.Load;

/// <summary>S14. Question: what does a call of its own cost, compared with a row of a batch, and through IChatClient compared with other clients?</summary>
internal static class SingleCalls
{
    private static readonly Size s_full = new(Requests: 50_000, Warmup: 10_000, Pairs: 5, InFlight: 100);
    private static readonly Size s_tiny = new(Requests: 2_000, Warmup: 500, Pairs: 1, InFlight: 100);

    public static async Task<Figure> MeasureAsync(Flags flags)
    {
        Size size = s_full.For(flags, s_tiny);
        string[] comparisons =
        [
            await CompareAsync(new Engine(), new SingleSends(), size),
            await CompareAsync(new RawHttpClient(), new ChatClients(isOurs: true), size),
            await CompareAsync(new ChatClients(isOurs: false), new ChatClients(isOurs: true), size),
        ];
        return new Figure("S14", "client CPU of a single call", "-", "≤ 1.2 of a row", string.Join("; ", comparisons));
    }

    private static async Task<string> CompareAsync(ICandidate baseline, ICandidate candidate, Size size)
    {
        IReadOnlyList<(Round Baseline, Round Candidate)> pairs = await Turns.TakeAsync(baseline, candidate, size);
        Spread ratio = Spread.Of(pairs.Select(pair => pair.Candidate.CpuMicroseconds / pair.Baseline.CpuMicroseconds));
        return string.Create(CultureInfo.InvariantCulture,
            $"{candidate.Name} / {baseline.Name}: {ratio.Print()}, {Describe(pairs.Select(pair => pair.Candidate))} against {Describe(pairs.Select(pair => pair.Baseline))}");
    }

    private static string Describe(IEnumerable<Round> rounds) => string.Create(CultureInfo.InvariantCulture,
        $"{Spread.Of(rounds.Select(round => round.CpuMicroseconds)).Median:F1} µs and {Spread.Of(rounds.Select(round => round.Bytes)).Median:N0} B");
}
