using System.Diagnostics;
using System.Globalization;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Cluster;

/// <summary>One worker after the other is killed and started again, while a job is done.</summary>
internal static class Kills
{
    private const int InFlight = 200;
    private const double MaxTakeover = 10;
    private static readonly TimeSpan s_lookEvery = TimeSpan.FromMilliseconds(100);

    public static async Task<bool> RunAsync(ClusterServers servers, Flags flags)
    {
        int rows = flags.Int("--rows", 200_000), workers = flags.Int("--workers", 4);
        var every = TimeSpan.FromSeconds(flags.Number("--every", 10));
        await using LocalCluster cluster = await LocalCluster.CreateAsync(servers);
        await using ServerProcess provider = await ServerProcess.StartAsync(flags.Number("--latency", 500));
        string input = cluster.PathOf("kills.jsonl"), output = cluster.PathOf("out.jsonl");
        await ClusterRows.WriteAsync(input, rows, rows);
        await cluster.StartWorkersAsync(workers);
        ProcessRun submitted = await cluster.MeasureAsync("submit", input, "--base-url", provider.ApiBase, "--concurrency", $"{InFlight}");
        Task<JobResult> ended = cluster.WaitAsync(submitted.Output.Trim());

        List<(int Chunks, double Seconds)> takeovers = [];
        List<Task> watches = [];
        for (var kill = 0; await Task.WhenAny(ended, Task.Delay(every)) != ended; kill++)
        {
            List<(int Number, long Token)> held = [];
            long at = await cluster.KillAsync(kill % workers, async id => held = await cluster.QueryAsync(
                "select number, token from fastllm.chunks where worker = $1 and state = 1", reader => (reader.GetInt32(0), reader.GetInt64(1)), id));
            watches.Add(WatchAsync(held, at));
        }

        JobResult job = await ended;
        await Task.WhenAll(watches);
        long sends = await ProviderCounts.SendsAsync(provider);
        ProcessRun fetched = await cluster.FetchAsync(submitted.Output.Trim(), output);
        long wrong = await ClusterRows.CountWrongAsync(output, rows);
        double slowest = takeovers.Max(takeover => takeover.Seconds, 0);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
            | rows, workers, in flight each | {rows:N0}, {workers}, {InFlight} |
            |---|---|
            | kills | {takeovers.Count}, of workers with {takeovers.Sum(takeover => takeover.Chunks)} chunks |
            | rows missing, repeated, misplaced or failed in the output | {wrong} |
            | sends above the rows | {sends - rows:N0}, of {(long)takeovers.Count * InFlight:N0} slots of the killed workers |
            | chunks of a killed worker are taken over after | {takeovers.Median(takeover => takeover.Seconds):F1} s, at most {slowest:F1} s |
            | time | {job.Seconds:F0} s, {rows / job.Seconds:N0} rows/s |
            | submit | {submitted.Elapsed.TotalSeconds:F1} s, {submitted.PeakMegabytes:F0} MB |
            | fetch | {fetched.Elapsed.TotalSeconds:F1} s, {fetched.PeakMegabytes:F0} MB |
            """));
        return wrong == 0 && job.Answered == rows && sends >= rows && sends - rows <= takeovers.Count * InFlight && slowest <= MaxTakeover;

        async Task WatchAsync(List<(int Number, long Token)> held, long at)
        {
            int[] numbers = [.. held.Select(chunk => chunk.Number)];
            long[] tokens = [.. held.Select(chunk => chunk.Token)];
            while ((await cluster.QueryAsync(
                """
                select true from fastllm.chunks c join unnest($1, $2) as held (number, token) on c.number = held.number
                where c.token = held.token and c.state < 2 limit 1
                """,
                reader => reader.GetBoolean(0), numbers, tokens)).Count > 0)
            {
                await Task.Delay(s_lookEvery);
            }

            lock (takeovers)
            {
                takeovers.Add((held.Count, held.Count == 0 ? 0 : Stopwatch.GetElapsedTime(at).TotalSeconds));
            }
        }
    }

    private static double Max<T>(this List<T> all, Func<T, double> of, double otherwise) => all.Count == 0 ? otherwise : all.Max(of);

    private static double Median<T>(this List<T> all, Func<T, double> of) => all.Count == 0 ? 0 : all.Select(of).Order().ElementAt(all.Count / 2);
}
