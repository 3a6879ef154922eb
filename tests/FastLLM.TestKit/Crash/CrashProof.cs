using FastLLM.Diagnostics;

namespace FastLLM.TestKit.Crash;

/// <summary>The proof that nothing paid is lost and nothing is paid twice: many jobs, many deaths, and what was found.</summary>
public static class CrashProof
{
    private const int MaxDeathsOfAJob = 10;
    private const int MaxMisses = 3;

    // What is reached before the first send, and what is reached after the last; anything else is reached by each row or commit.
    private static readonly string[] AtTheBegin = [KillPoint.DuringSchemaCreation];
    private static readonly string[] AtTheEnd = [KillPoint.DuringCompaction, KillPoint.BeforeRename, KillPoint.AfterRename, KillPoint.DuringCheckpoint];
    private static readonly string[] OfTheCache = [KillPoint.DuringSchemaCreation, KillPoint.MidCommitBatch, KillPoint.DuringCheckpoint];

    /// <summary>Kills as often as the options say.</summary>
    public static async Task<CrashReport> RunAsync(CrashOptions options)
    {
        var report = new CrashReport(options);
        var random = new Random(options.Seed);
        int jobs = await AtRandomAsync(options, random, report);
        await AtPointsAsync(options, random, report, jobs);
        return report;
    }

    /// <summary>The places at which a process with or without a cache can be made to die, in the order in which it comes to them.</summary>
    public static IReadOnlyList<string> Points(bool withoutCache) =>
    [
        .. AtTheBegin.Concat(KillPoint.All.Except(AtTheBegin).Except(AtTheEnd)).Concat(AtTheEnd).Where(point => !withoutCache || !OfTheCache.Contains(point)),
    ];

    private static async Task<int> AtRandomAsync(CrashOptions options, Random random, CrashReport report)
    {
        int jobs = 0;
        for (int left = options.Kills; left > 0;)
        {
            await using CrashJob job = await CrashJob.CreateAsync(options, ++jobs);
            for (int deaths = 0; left > 0 && deaths < MaxDeathsOfAJob && !job.IsFinished; deaths++)
            {
                left -= await job.DieAtRandomAsync(random) ? 1 : 0;
            }

            await job.FinishAsync();
            report.Add(job);
        }

        return jobs;
    }

    // Each job dies once at every place, as far as it comes there.
    private static async Task AtPointsAsync(CrashOptions options, Random random, CrashReport report, int jobs)
    {
        IReadOnlyList<string> points = options.Points ?? Points(options.WithoutCache);
        Dictionary<string, int> left = points.ToDictionary(point => point, _ => options.PerPoint);
        for (int misses = 0; left.Values.Any(count => count > 0) && misses < MaxMisses;)
        {
            await using CrashJob job = await CrashJob.CreateAsync(options, ++jobs);
            int before = left.Values.Sum();
            foreach (string point in points.Where(point => left[point] > 0))
            {
                left[point] -= !job.IsFinished && await job.DieAtAsync(point, Times(point, options, random)) ? 1 : 0;
            }

            await job.FinishAsync();
            report.Add(job);
            misses = left.Values.Sum() == before ? misses + 1 : 0;
        }

        foreach (string point in left.Keys.Where(point => left[point] > 0))
        {
            report.Violate($"seed {options.Seed}: {left[point]} processes did not come to {point}");
        }
    }

    // Few enough that one job comes to all places.
    private static int Times(string point, CrashOptions options, Random random) =>
        AtTheBegin.Contains(point) || AtTheEnd.Contains(point) ? 1
        : point == KillPoint.MidCommitBatch ? random.Next(1, 4)
        : random.Next(1, Math.Max(2, options.Rows / 20));
}
