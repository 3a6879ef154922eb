using FastLLM.Benchmarks.Candidates;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Load;

/// <summary>Lets two candidates take turns in one warm process against one server: A B A B …, so that what else the machine does hits both.</summary>
internal static class Turns
{
    // The just-in-time compiler puts its best code in place by and by: time counts as well as calls, and some seconds are needed.
    private const int WarmupTurns = 5;

    public static async Task<IReadOnlyList<(Round Baseline, Round Candidate)>> TakeAsync(ICandidate baseline, ICandidate candidate, Size size)
    {
        await using ServerProcess server = await ServerProcess.StartAsync(size.LatencyMilliseconds);
        for (int turn = 0; turn < WarmupTurns; turn++)
        {
            await Round.RunAsync(baseline, server.ApiBase, size.Warmup, size.InFlight);
            await Round.RunAsync(candidate, server.ApiBase, size.Warmup, size.InFlight);
        }

        var pairs = new List<(Round, Round)>();
        for (int pair = 1; pair <= size.Pairs; pair++)
        {
            pairs.Add((await TurnAsync(baseline), await TurnAsync(candidate)));
        }

        return pairs;

        async Task<Round> TurnAsync(ICandidate one)
        {
            Round round = await Round.RunAsync(one, server.ApiBase, size.Requests, size.InFlight);
            Console.WriteLine($"  {one.Name,-30} {round}");
            return round;
        }
    }
}
