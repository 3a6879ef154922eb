
namespace FastLLM.Benchmarks.Load;

/// <summary>The load tests: runs those that are asked for, one after the other, and prints the table.</summary>
internal static class LoadCommand
{
    private static readonly (string Id, Func<Flags, Task<Figure>> Measure)[] s_tests =
    [
        ("S1", CpuPerRequest.AgainstRawAsync),
        ("S2", CpuPerRequest.AgainstSdkAsync),
        ("S3", CpuPerRequest.OnDiskAgainstRawAsync),
        ("S4", CacheHits.InMemoryAsync),
        ("S4 disk", CacheHits.OnDiskAsync),
        ("S5", ManyInFlight.MeasureAsync),
        ("S6", JobRuns.AgainstLibraryAsync),
        ("S9", Tail.MeasureAsync),
        ("S10", Limits.MeasureAsync),
        ("S11", KeyAndAllocations.MeasureAsync),
        ("S12", StartUp.MeasureAsync),
        ("S13", Laws.Laws.MeasureAsync),
        ("S14", SingleCalls.MeasureAsync),
        ("S15", FirstUpdate.MeasureAsync),
    ];

    // Minutes, and gigabytes of files: only where they are asked for by name.
    private static readonly (string Id, Func<Flags, Task<Figure>> Measure)[] s_longTests =
    [
        ("S7", JobRuns.MemoryAsync),
        ("S8", JobRuns.ResumeAsync),
    ];

    public static async Task<int> RunAsync(Flags flags)
    {
        string asked = flags.Word ?? "all";
        var tests = asked == "all" ? [.. s_tests] : s_tests.Concat(s_longTests).Where(test => string.Equals(asked, test.Id, StringComparison.OrdinalIgnoreCase)).ToList();
        if (tests.Count == 0)
        {
            await Console.Error.WriteLineAsync($"There is no load test {asked}. There are {string.Join(", ", s_tests.Concat(s_longTests).Select(test => test.Id))} and all.");
            return 2;
        }

        var figures = new List<Figure>();
        foreach ((string id, Func<Flags, Task<Figure>> measure) in tests)
        {
            Console.WriteLine(id);
            figures.Add(await measure(flags));
        }

        string report = Report.Print(figures, flags);
        Console.WriteLine();
        Console.Write(report);
        if (flags.Text("--report") is { } file)
        {
            await File.WriteAllTextAsync(file, report);
        }

        return 0;
    }
}
