using System.Globalization;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Cluster;

/// <summary>Many rows with few different requests: each request is sent once over all workers.</summary>
internal static class EqualRequests
{
    public static async Task<bool> RunAsync(ClusterServers servers, Flags flags)
    {
        int rows = flags.Int("--rows", 100_000), distinct = flags.Int("--distinct", rows / 10), workers = flags.Int("--workers", 4);
        await using LocalCluster cluster = await LocalCluster.CreateAsync(servers);
        await using ServerProcess provider = await ServerProcess.StartAsync(flags.Number("--latency", 100), 0.5);
        string input = cluster.PathOf("equal.jsonl"), output = cluster.PathOf("out.jsonl");
        await ClusterRows.WriteAsync(input, rows, distinct);
        await cluster.StartWorkersAsync(workers);
        string id = await cluster.SubmitAsync(input, provider.ApiBase, 200);
        JobResult job = await cluster.WaitAsync(id);
        long sends = await ProviderCounts.SendsAsync(provider);
        await cluster.FetchAsync(id, output);
        long wrong = await ClusterRows.CountWrongAsync(output, rows);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
            | rows, different requests, workers | {rows:N0}, {distinct:N0}, {workers} |
            |---|---|
            | sends | {sends:N0} |
            | rows missing, repeated, misplaced or failed in the output | {wrong} |
            | time | {job.Seconds:F1} s, {rows / job.Seconds:N0} rows/s |
            | CPU of the workers | {cluster.Workers.Sum(worker => worker.Cpu.TotalMicroseconds) / rows:F0} µs a row |
            """));
        return sends == distinct && wrong == 0 && job.Answered == rows;
    }
}
