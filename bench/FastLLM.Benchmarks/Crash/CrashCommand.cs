using FastLLM.TestKit.Crash;

namespace FastLLM.Benchmarks.Crash;

/// <summary>Kills the tool again and again, and shows that nothing is lost and nothing paid twice: see docs/durability.md.</summary>
internal static class CrashCommand
{
    public static async Task<int> RunAsync(Flags flags)
    {
        var defaults = new CrashOptions();
        var options = new CrashOptions
        {
            Kills = flags.Int("--kills", defaults.Kills),
            PerPoint = flags.Int("--per-point", flags.Has("--point") ? 1 : 0),
            Points = flags.Text("--point") is { } point ? [point] : null,
            Rows = flags.Int("--rows", defaults.Rows),
            Slots = flags.Int("--slots", defaults.Slots),
            Latency = TimeSpan.FromMilliseconds(flags.Number("--latency", defaults.Latency.TotalMilliseconds)),
            Seed = flags.Int("--seed", Random.Shared.Next()),
            Durability = flags.Text("--durability") switch
            {
                null or "power-loss" => Durability.PowerLoss,
                "process-kill" => Durability.ProcessKill,
                var other => throw new ArgumentException($"--durability {other} is neither power-loss nor process-kill."),
            },
            WithoutCache = flags.Has("--no-cache"),
            Say = Console.Error.WriteLine,
        };
        Console.WriteLine($"seed {options.Seed}");
        return flags.Has("--processes") ? await ShareAsync(options, flags.Int("--processes", 2)) : await CrashAsync(options, flags);
    }

    private static async Task<int> ShareAsync(CrashOptions options, int processes)
    {
        SharedCacheReport report = await SharedCacheProof.RunAsync(options, processes);
        Console.WriteLine(SharedCacheReport.Header);
        Console.WriteLine(report);
        return Exit(report.Violations);
    }

    private static async Task<int> CrashAsync(CrashOptions options, Flags flags)
    {
        CrashReport report = await CrashProof.RunAsync(options);
        Console.WriteLine(report.Table());
        if (flags.Text("--csv") is { } csv)
        {
            await File.WriteAllTextAsync(csv, report.Csv());
        }

        return Exit(report.Violations);
    }

    private static int Exit(IReadOnlyList<string> violations)
    {
        foreach (string violation in violations)
        {
            Console.WriteLine($"VIOLATED: {violation}");
        }

        return violations.Count == 0 ? 0 : 1;
    }
}
