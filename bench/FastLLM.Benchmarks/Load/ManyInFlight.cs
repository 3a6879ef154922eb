using System.Diagnostics;
using System.Globalization;
using FastLLM.Benchmarks.Candidates;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Load;

/// <summary>S5. Question: do thousands of slow requests at once cost time or memory?</summary>
/// <remarks>Each round is a process of its own, cold as a user's program is: the peak of memory is the process's whole, and no other candidate's.</remarks>
internal static class ManyInFlight
{
    public const string ChildCommand = "many-in-flight-child";

    private static readonly Size s_full = new(Requests: 50_000, Warmup: 0, Pairs: 3, InFlight: 5_000, LatencyMilliseconds: 1_000);
    private static readonly Size s_tiny = new(Requests: 2_000, Warmup: 0, Pairs: 1, InFlight: 200, LatencyMilliseconds: 100);

    public static async Task<Figure> MeasureAsync(Flags flags)
    {
        Size size = s_full.For(flags, s_tiny);
        double ideal = size.Requests * size.LatencyMilliseconds / 1000 / size.InFlight;
        await using ServerProcess server = await ServerProcess.StartAsync(size.LatencyMilliseconds);
        var raw = new List<(double Seconds, double Megabytes)>();
        var engine = new List<(double Seconds, double Megabytes)>();
        for (int pair = 0; pair < size.Pairs; pair++)
        {
            raw.Add(await RunAsync(server.ApiBase, "raw", size));
            engine.Add(await RunAsync(server.ApiBase, "fastllm", size));
        }

        return new Figure("S5", $"{size.InFlight} in flight, {size.LatencyMilliseconds} ms, {size.Requests} rows: time / raw HttpClient; peak RSS", "≤ 1.03; ≤ 200 MB", "≤ 0.98; ≤ 120 MB",
            $"{Spread.Of(engine.Zip(raw, (a, b) => a.Seconds / b.Seconds)).Print("F3")}; {Spread.Of(engine.Select(round => round.Megabytes)).Print("F0")} MB "
            + $"(time / ideal {Over(engine)}; raw {Over(raw)}, {Spread.Of(raw.Select(round => round.Megabytes)).Print("F0")} MB)");

        string Over(IEnumerable<(double Seconds, double Megabytes)> rounds) => Spread.Of(rounds.Select(round => round.Seconds / ideal)).Print();
    }

    /// <summary>The other process: one candidate, once; prints seconds and megabytes.</summary>
    public static async Task<int> RunChildAsync(Flags flags)
    {
        ICandidate candidate = flags.Required("--candidate") == "raw" ? new RawHttpClient() : new Engine();
        Round round = await Round.RunAsync(candidate, flags.Required("--url"), flags.Int("--requests", 0), flags.Int("--in-flight", 0));
        using Process self = Process.GetCurrentProcess();
        await Console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{round.Elapsed.TotalSeconds} {ProcessRun.PeakMegabytesOf(self)}"));
        return 0;
    }

    private static async Task<(double Seconds, double Megabytes)> RunAsync(string apiBase, string candidate, Size size)
    {
        using Process child = OwnProcess.Start(
            ChildCommand, "--candidate", candidate, "--url", apiBase,
            "--requests", size.Requests.ToString(CultureInfo.InvariantCulture), "--in-flight", size.InFlight.ToString(CultureInfo.InvariantCulture));
        string said = await child.StandardOutput.ReadToEndAsync();
        await child.WaitForExitAsync();
        if (child.ExitCode != 0 || said.Split(' ') is not [var seconds, var megabytes])
        {
            throw new InvalidOperationException($"The process of {candidate} ended with {child.ExitCode}.");
        }

        Console.WriteLine($"  {candidate,-10} {seconds} s, {megabytes.TrimEnd()} MB");
        return (double.Parse(seconds, CultureInfo.InvariantCulture), double.Parse(megabytes, CultureInfo.InvariantCulture));
    }
}
