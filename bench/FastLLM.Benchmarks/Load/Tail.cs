using System.Diagnostics;
using System.Globalization;
using FastLLM.Benchmarks.Candidates;
using FastLLM.Benchmarks.Serving;
using FastLLM.Simulator;

namespace FastLLM.Benchmarks.Load;

/// <summary>S9. Question: where latencies differ widely, is every slot used all the time, as the best scheduler without foresight would?</summary>
internal static class Tail
{
    private const double Sigma = 1.0;

    private static readonly Size s_full = new(Requests: 10_000, Warmup: 200, Pairs: 1, InFlight: 100, LatencyMilliseconds: 200);
    private static readonly Size s_tiny = new(Requests: 500, Warmup: 50, Pairs: 1, InFlight: 50, LatencyMilliseconds: 50);

    public static async Task<Figure> MeasureAsync(Flags flags)
    {
        Size size = s_full.For(flags, s_tiny);
        await using ServerProcess server = await ServerProcess.StartAsync(size.LatencyMilliseconds, Sigma);
        await RunAsync(server.ApiBase, size.Warmup, size);

        var ratios = new List<double>();
        for (int round = 0; round < size.Pairs; round++)
        {
            (TimeSpan taken, TimeSpan makespan) = await RunAsync(server.ApiBase, size.Requests, size);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {taken.TotalSeconds:F2} s, makespan {makespan.TotalSeconds:F2} s"));
            ratios.Add(taken / makespan);
        }

        return new Figure("S9", $"lognormal latency (σ 1.0, median {size.LatencyMilliseconds} ms), {size.InFlight} in flight, {size.Requests} rows: time / makespan of greedy list scheduling", "≤ 1.05", "≤ 1.02", Spread.Of(ratios).Print("F3"));
    }

    private static async Task<(TimeSpan Taken, TimeSpan Makespan)> RunAsync(string apiBase, int requests, Size size)
    {
        RequestBatch batch = Engine.Build(new Workload(requests));
        await using var cache = new InMemoryCache();
        await using RequestManager manager = Engine.Manager(apiBase, size.InFlight, cache);
        long start = Stopwatch.GetTimestamp();
        IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await manager.ProcessBatchAsync(batch);
        TimeSpan taken = Stopwatch.GetElapsedTime(start);
        return Engine.CountAnswers(outcomes) == requests
            ? (taken, Makespan(batch, size))
            : throw new InvalidOperationException("Answers are missing.");
    }

    // Greedy: the next request goes to the slot that is free first.
    private static TimeSpan Makespan(RequestBatch batch, Size size)
    {
        SimulatorOptions law = ServeCommand.Options(size.LatencyMilliseconds, Sigma);
        var free = new PriorityQueue<int, TimeSpan>(Enumerable.Range(0, size.InFlight).Select(slot => (slot, TimeSpan.Zero)));
        TimeSpan last = TimeSpan.Zero;
        foreach (LlmRequest request in batch)
        {
            free.TryDequeue(out int slot, out TimeSpan at);
            TimeSpan end = at + SimulatorLatency.Of(law, request.Body.Span);
            free.Enqueue(slot, end);
            last = end > last ? end : last;
        }

        return last;
    }
}
