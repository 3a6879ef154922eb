using System.Globalization;
using FastLLM.Benchmarks.Cluster;
using FastLLM.Benchmarks.Load;
using FastLLM.Simulator;

namespace FastLLM.Benchmarks.ClusterLimits;

/// <summary>Measures how real workers on real servers use a limit together, and how they notice that one comes or goes.</summary>
internal static class ClusterLimitsCommand
{
    // A change is noticed in this time.
    private const double Notices = 5;

    // In which the rate must be back for a change to count as noticed.
    private const double Window = 2;

    private const int SpareRows = 20_000;
    private const string Plan = "120:term,155:add,190:kill,225:add,260:end";

    public static async Task<int> RunAsync(Flags flags)
    {
        IEnumerable<LimitScenario> scenarios = LimitScenario.All.Where(
            scenario => flags.Text("--only") is not { } only || only.Split(',').Contains(scenario.Name));
        if (flags.All("--throttle") is { Length: > 0 } laws)
        {
            string[] options = flags.Text("--rpm") is { } rpm ? ["--rpm", rpm] : [];
            scenarios = [new LimitScenario("own", laws, flags.Number("--ideal", 50), options, Settles: 20, Used: 0.9, Refused: 0.03)];
        }

        var isKept = true;
        Console.WriteLine("| Limit | From, s | Event | Noticed after, s | Used | Refused |");
        Console.WriteLine("|---|---|---|---|---|---|");
        foreach (LimitScenario scenario in scenarios)
        {
            isKept &= await MeasureAsync(scenario, flags);
        }

        return isKept ? 0 : 1;
    }

    private static async Task<bool> MeasureAsync(LimitScenario scenario, Flags flags)
    {
        PlannedEvent[] plan = PlannedEvent.Parse(flags.Text("--plan") ?? Plan);
        await using SimulatorServer simulator = await SimulatorServer.StartAsync(new SimulatorOptions
        {
            Latency = TimeSpan.FromMilliseconds(flags.Number("--latency", 200)),
            LatencySigma = flags.Number("--sigma", 0.3),
            ThrottleLaws = [.. scenario.Laws.Select(ThrottleLaw.Parse)],
        });
        await using ClusterServers servers = await ClusterServers.StartAsync();
        await using LocalCluster cluster = await LocalCluster.CreateAsync(servers);
        cluster.HasOwnClocks = flags.Has("--clocks");
        await cluster.StartWorkersAsync(flags.Int("--workers", 4));
        await using var samples = new SendSamples(simulator);
        // Enough that all workers have chunks to the end.
        string input = cluster.PathOf("rows.jsonl");
        await File.WriteAllLinesAsync(input, Enumerable.Range(0, SpareRows + (int)(plan[^1].At * scenario.PerSecond)).Select(RowOf));
        string job = await cluster.SubmitAsync(input, simulator.ApiBase, flags.Int("--in-flight", 100), scenario.Options);
        await samples.First.Task;
        foreach (PlannedEvent planned in plan)
        {
            await Task.Delay(TimeSpan.FromSeconds(Math.Max(0, planned.At - samples.Now)));
            await HappenAsync(servers, cluster, planned.What);
        }

        bool isKept = Report(scenario, plan, samples);
        Console.Error.WriteLine((await cluster.MeasureAsync("status", job)).Output);
        foreach (string message in cluster.Messages)
        {
            Console.Error.WriteLine(message);
        }

        if (flags.Has("--seconds"))
        {
            for (var at = 0; at < samples.Now - 1; at++)
            {
                (long sends, long refused) = samples.Between(at, at + 1);
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{at}\t{sends}\t{refused}"));
            }
        }

        return isKept;
    }

    private static bool Report(LimitScenario scenario, PlannedEvent[] plan, SendSamples samples)
    {
        var isKept = true;
        double from = scenario.Settles, happened = 0;
        string what = "start";
        foreach (PlannedEvent next in plan)
        {
            double used = samples.Accepted(from, next.At) / scenario.PerSecond;
            (long sends, long refused) = samples.Between(from, next.At);
            double share = (double)refused / Math.Max(1, sends);
            double? noticed = what == "start" ? null : NoticedAfter(scenario, samples, happened, next.At);
            isKept &= used >= scenario.Used && share <= scenario.Refused;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {scenario.Name} | {from:F0}-{next.At:F0} | {what} | {noticed:F1} | {used:F3} | {share:P2} |"));
            (happened, from, what) = (next.At, next.At + Notices, next.What);
        }

        double end = plan[^1].At, all = samples.Accepted(scenario.Settles, end) / scenario.PerSecond;
        (long sent, long lost) = samples.Between(scenario.Settles, end);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {scenario.Name} | {scenario.Settles:F0}-{end:F0} | all | | {all:F3} | {(double)lost / Math.Max(1, sent):P2} |"));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{scenario.Name}: at most {samples.MostInAMinute():N0} requests in any minute, {samples.Between(0, end).Refused} refused from the start"));
        return isKept;
    }

    // From when on the limit is used again as it should be.
    private static double? NoticedAfter(LimitScenario scenario, SendSamples samples, double at, double until)
    {
        for (double end = at + Window; end <= until; end += 0.1)
        {
            if (samples.Accepted(end - Window, end) >= scenario.Used * scenario.PerSecond)
            {
                return end - at;
            }
        }

        return double.PositiveInfinity;
    }

    private static string RowOf(int row) =>
        $$$"""{"custom_id":"{{{row}}}","method":"POST","url":"/v1/chat/completions","body":"""
        + $$$"""{"model":"m","max_tokens":16,"messages":[{"role":"user","content":"Question {{{row}}}"}]}}""";

    private static async Task HappenAsync(ClusterServers servers, LocalCluster cluster, string what)
    {
        switch (what)
        {
            case "term":
                cluster.End("TERM");
                break;
            case "kill":
                cluster.End("KILL");
                break;
            case "freeze":
                cluster.Workers[0].Signal("STOP");
                break;
            case "wake":
                cluster.Workers[0].Signal("CONT");
                break;
            case "add":
                await cluster.StartWorkersAsync(1);
                break;
            case "store-away":
                await servers.Postgres.StopAsync();
                break;
            case "store-back":
                await servers.Postgres.StartAgainAsync();
                break;
            case "broker-away":
                await servers.Rabbit.StopAsync();
                break;
            case "broker-back":
                await servers.Rabbit.StartAgainAsync();
                break;
            case "end":
                break;
            default:
                throw new ArgumentException($"{what} is no event.");
        }
    }
}
