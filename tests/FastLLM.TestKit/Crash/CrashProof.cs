using FastLLM.Diagnostics;

namespace FastLLM.TestKit.Crash;

/// <summary>The proof that nothing paid is lost and nothing is paid twice: many jobs, many deaths, and what was found.</summary>
public static class CrashProof
{
    private const int MostLivesOfAJob = 10;

    // Reached once, at the end of a job, and not again: a small job is enough.
    private static readonly string[] AtTheEnd = [KillPoint.DuringCompaction, KillPoint.BeforeRename, KillPoint.AfterRename];

    /// <summary>Gets the places in the engine at which a process can be made to die.</summary>
    public static IReadOnlyList<string> Points => KillPoint.All;

    public static async Task<CrashReport> RunAsync(CrashOptions options)
    {
        var report = new CrashReport(options);
        var random = new Random(options.Seed);
        int jobs = 0;
        for (int left = options.Kills; left > 0;)
        {
            await using CrashJob job = await CrashJob.CreateAsync(options, ++jobs, options.Rows);
            while (left > 0 && job.Lives.Count < MostLivesOfAJob && !job.IsFinished)
            {
                left -= await job.DieAtRandomAsync(random) ? 1 : 0;
            }

            await job.FinishAsync();
            report.Add(job);
        }

        foreach (string point in options.PerPoint > 0 ? options.Points ?? Points : [])
        {
            int rows = AtTheEnd.Contains(point) ? Math.Max(options.Slots * 2, options.Rows / 10) : options.Rows;
            for (int left = options.PerPoint, missed = 0; left > 0;)
            {
                await using CrashJob job = await CrashJob.CreateAsync(options, ++jobs, rows);
                int before = left;
                while (left > 0 && job.Lives.Count < MostLivesOfAJob && !job.IsFinished)
                {
                    left -= await job.DieAtAsync(point, AtTheEnd.Contains(point) ? 1 : random.Next(1, rows / 8)) ? 1 : 0;
                }

                await job.FinishAsync();
                report.Add(job);
                missed = left == before ? missed + 1 : 0;
                if (missed > 2)
                {
                    report.Violate($"no process came to {point}");
                    break;
                }
            }
        }

        return report;
    }
}
