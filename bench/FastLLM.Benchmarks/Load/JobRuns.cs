using System.Globalization;
using FastLLM.Benchmarks.Candidates;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Load;

/// <summary>S6, S7 and S8. Questions: what does <c>fastllm run</c> lose against the library, does its memory grow with the file, and how long does it look at what is done?</summary>
/// <remarks>
/// Both sides of S6 are whole processes, from start to exit, on the same file. The library reads it with <c>RequestBatch.ReadAsync</c>,
/// sends, and keeps the outcomes in memory and its answers in a cache on disk, as the tool does; the tool reads it twice (nothing is sent before all is checked), keeps each answer in its cache on
/// disk before it is written, and sorts the output.
/// </remarks>
internal static class JobRuns
{
    public const string ChildCommand = "read-and-send-child";

    private const int FewRows = 10_000;

    private static readonly Size s_full = new(Requests: 100_000, Warmup: 0, Pairs: 5, InFlight: 100);
    private static readonly Size s_tiny = new(Requests: 2_000, Warmup: 0, Pairs: 1, InFlight: 100);
    private static readonly Size s_million = new(Requests: 1_000_000, Warmup: 0, Pairs: 1, InFlight: 100);
    private static readonly Size s_tinyMillion = new(Requests: 20_000, Warmup: 0, Pairs: 1, InFlight: 100);

    public static async Task<Figure> AgainstLibraryAsync(Flags flags)
    {
        Size size = s_full.For(flags, s_tiny);
        using var folder = new TemporaryFolder();
        string input = folder.PathOf("rows.jsonl");
        await RowsFile.WriteAsync(input, size.Requests);
        await using ServerProcess server = await ServerProcess.StartAsync();
        var pairs = new List<(ProcessRun Library, ProcessRun Tool)>();
        for (int pair = 0; pair < size.Pairs; pair++)
        {
            pairs.Add((Say("library", size, await LibraryAsync(input, server.ApiBase, size)), Say("fastllm run", size, await ToolAsync(folder, input, server.ApiBase, size))));
        }

        return new Figure("S6", $"`fastllm run` on a file of {Number(size.Requests)} rows: rows/s / library on the same rows, whole processes", "≥ 0.7", "≥ 0.9",
            $"{Spread.Of(pairs.Select(pair => pair.Library.Elapsed / pair.Tool.Elapsed)).Print()}; {PerSecond(pair => pair.Tool)}/s against {PerSecond(pair => pair.Library)}/s; "
            + $"CPU / library's {Spread.Of(pairs.Select(pair => pair.Tool.Cpu / pair.Library.Cpu)).Print()}");

        string PerSecond(Func<(ProcessRun Library, ProcessRun Tool), ProcessRun> side) =>
            Number(Spread.Of(pairs.Select(pair => size.Requests / side(pair).Elapsed.TotalSeconds)).Median);
    }

    public static async Task<Figure> MemoryAsync(Flags flags)
    {
        Size size = s_million.For(flags, s_tinyMillion);
        int fewRows = Math.Min(FewRows, size.Requests / 2);
        using var folder = new TemporaryFolder();
        await using ServerProcess server = await ServerProcess.StartAsync();
        double few = await PeakAsync(size with { Requests = fewRows });
        double many = await PeakAsync(size);
        double growth = (many - few) * 1e6 / (size.Requests - fewRows);
        return new Figure("S7", $"peak RSS of `fastllm run` with {Number(size.Requests)} rows of 1 KB; growth from {Number(fewRows)} rows", "≤ 200 MB; ≤ 40 bytes a row", "≤ 120 MB; ≤ 24",
            string.Create(CultureInfo.InvariantCulture, $"{many:F0} MB; {growth:F0} bytes a row (from {few:F0} MB)"));

        async Task<double> PeakAsync(Size one)
        {
            string input = folder.PathOf("rows.jsonl");
            await RowsFile.WriteAsync(input, one.Requests, lineBytes: 1024);
            return Say("fastllm run", one, await ToolAsync(folder, input, server.ApiBase, one)).PeakMegabytes;
        }
    }

    public static async Task<Figure> ResumeAsync(Flags flags)
    {
        Size size = s_million.For(flags, s_tinyMillion);
        using var folder = new TemporaryFolder();
        await using ServerProcess server = await ServerProcess.StartAsync();
        string input = folder.PathOf("rows.jsonl");
        await RowsFile.WriteAsync(input, size.Requests);
        Say("fastllm run", size, await ToolAsync(folder, input, server.ApiBase, size));
        var seconds = new List<double>();
        for (int round = 0; round < 3; round++)
        {
            ProcessRun run = await ProcessRun.MeasureAsync(() => Tool.StartRun(input, folder.PathOf("rows.out.jsonl"), server.ApiBase, size.InFlight, folder.PathOf("cache")));
            seconds.Add(Say("again", size, run).Elapsed.TotalSeconds);
        }

        return new Figure("S8", $"resume: {Number(size.Requests)} finished rows, nothing left to do", "≤ 8 s", "≤ 2 s", $"{Spread.Of(seconds).Print()} s");
    }

    /// <summary>The library's process: reads the file and sends, as a program of a user's would.</summary>
    public static async Task<int> RunChildAsync(Flags flags)
    {
        using var folder = new TemporaryFolder();
        await using var cache = new DiskCache(folder.PathOf("cache"));
        await using RequestManager manager = Engine.Manager(flags.Required("--url"), flags.Int("--in-flight", 0), cache);
        RequestBatch batch = await RequestBatch.ReadAsync(flags.Required("--input"));
        await Console.Out.WriteAsync(Engine.CountAnswers(await manager.ProcessBatchAsync(batch)).ToString(CultureInfo.InvariantCulture));
        return 0;
    }

    private static async Task<ProcessRun> LibraryAsync(string input, string apiBase, Size size)
    {
        ProcessRun run = await ProcessRun.MeasureAsync(() => OwnProcess.Start(
            ChildCommand, "--input", input, "--url", apiBase, "--in-flight", size.InFlight.ToString(CultureInfo.InvariantCulture)));
        return run.Output == size.Requests.ToString(CultureInfo.InvariantCulture) ? run : throw new InvalidOperationException("Answers are missing.");
    }

    private static async Task<ProcessRun> ToolAsync(TemporaryFolder folder, string input, string apiBase, Size size)
    {
        string output = folder.PathOf("rows.out.jsonl");
        string cache = folder.PathOf("cache");
        File.Delete(output);
        if (Directory.Exists(cache))
        {
            Directory.Delete(cache, recursive: true);
        }

        ProcessRun run = await ProcessRun.MeasureAsync(() => Tool.StartRun(input, output, apiBase, size.InFlight, cache));
        return File.ReadLines(output).LongCount() == size.Requests ? run : throw new InvalidOperationException("Rows are missing.");
    }

    private static ProcessRun Say(string name, Size size, ProcessRun run)
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  {name,-12} {run.Elapsed.TotalSeconds,6:F2} s, {run.Cpu.TotalMicroseconds / size.Requests,6:F1} µs CPU a row, {run.PeakMegabytes:F0} MB"));
        return run;
    }

    private static string Number(double number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
