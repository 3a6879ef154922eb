using System.Diagnostics;
using System.Globalization;
using FastLLM.Benchmarks.Candidates;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Load;

/// <summary>S4. Question: how fast is a run whose answers are all in the cache?</summary>
internal static class CacheHits
{
    private static readonly Size s_full = new(Requests: 100_000, Warmup: 0, Pairs: 9, InFlight: 100);
    private static readonly Size s_tiny = new(Requests: 2_000, Warmup: 0, Pairs: 3, InFlight: 100);

    public static async Task<Figure> InMemoryAsync(Flags flags)
    {
        await using var cache = new InMemoryCache();
        return await MeasureAsync("InMemoryCache", cache, "700,000", "2,000,000", flags);
    }

    public static async Task<Figure> OnDiskAsync(Flags flags)
    {
        using var folder = new TemporaryFolder();
        await using var cache = new DiskCache(folder.PathOf("cache"));
        return await MeasureAsync("DiskCache", cache, "100,000", "300,000", flags);
    }

    private static async Task<Figure> MeasureAsync(string name, CacheProvider cache, string bar, string goal, Flags flags)
    {
        Size size = s_full.For(flags, s_tiny);
        await using ServerProcess server = await ServerProcess.StartAsync();
        var workload = new Workload(size.Requests);
        await HitAsync(); // the first run fills the cache

        var processing = new List<double>();
        var withBuilding = new List<double>();
        for (int round = 0; round < size.Pairs + 2; round++)
        {
            (double hits, double all) = await HitAsync();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {hits,10:F0} hits/s, with building {all,10:F0}/s"));
            if (round >= 2)
            {
                processing.Add(hits);
                withBuilding.Add(all);
            }
        }

        return new Figure("S4", $"hits/s from {name}, one batch of {size.Requests.ToString("N0", CultureInfo.InvariantCulture)}", bar, goal,
            $"{Spread.Of(processing).Print("N0")}; with building the batch {Spread.Of(withBuilding).Print("N0")}");

        async Task<(double Hits, double All)> HitAsync()
        {
            await using RequestManager manager = Engine.Manager(server.ApiBase, size.InFlight, cache);
            GC.Collect();
            long start = Stopwatch.GetTimestamp();
            RequestBatch batch = Engine.Build(workload);
            long built = Stopwatch.GetTimestamp();
            IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await manager.ProcessBatchAsync(batch);
            long done = Stopwatch.GetTimestamp();
            return Engine.CountAnswers(outcomes) == size.Requests
                ? (PerSecond(built, done), PerSecond(start, done))
                : throw new InvalidOperationException("Answers are missing.");
        }

        double PerSecond(long from, long to) => size.Requests / Stopwatch.GetElapsedTime(from, to).TotalSeconds;
    }
}
