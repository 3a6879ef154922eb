using System.Globalization;
using FastLLM.Benchmarks.Answers;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Cluster;

/// <summary>What a row costs in a cluster of one worker, and what it costs with <c>fastllm run</c> alone.</summary>
internal static class Overhead
{
    private const int InFlight = 200;

    public static async Task<bool> RunAsync(ClusterServers servers, Flags flags)
    {
        int rows = flags.Int("--rows", 100_000);
        await using LocalCluster cluster = await LocalCluster.CreateAsync(servers);
        await using BackendTime backends = await BackendTime.OpenAsync(cluster.Connection);
        await using ServerProcess provider = await ServerProcess.StartAsync(flags.Number("--latency", 20));
        string input = cluster.PathOf("overhead.jsonl"), alone = cluster.PathOf("alone.jsonl"), output = cluster.PathOf("out.jsonl");
        await ClusterRows.WriteAsync(input, rows, rows);
        Console.WriteLine($"{rows:N0} rows, {InFlight} in flight, one worker\n");
        Console.WriteLine("| what | CPU, µs a row | wall, µs a row |\n|---|---|---|");
        ProcessRun run = await ProcessRun.MeasureAsync(() => Tool.StartRun(input, alone, provider.ApiBase, InFlight, cluster.PathOf("cache.db")));
        Write("fastllm run", run.Cpu, run.Elapsed);

        await cluster.StartWorkersAsync(1);
        (TimeSpan workerBefore, double serverBefore) = (cluster.Workers[0].Cpu, await backends.TakeAsync());
        ProcessRun submit = await cluster.MeasureAsync("submit", input, "--base-url", provider.ApiBase, "--concurrency", $"{InFlight}");
        string id = submit.Output.Trim();
        JobResult job = await cluster.WaitAsync(id);
        (TimeSpan worker, TimeSpan server) = (cluster.Workers[0].Cpu - workerBefore, TimeSpan.FromSeconds(await backends.TakeAsync() - serverBefore));
        ProcessRun fetch = await cluster.FetchAsync(id, output);
        Write("fastllm submit", submit.Cpu, submit.Elapsed);
        Write("fastllm worker", worker, TimeSpan.FromSeconds(job.Seconds));
        Write("PostgreSQL, its connections", server, TimeSpan.Zero);
        Write("fastllm fetch", fetch.Cpu, fetch.Elapsed);
        TimeSpan cpu = submit.Cpu + worker + server + fetch.Cpu, wall = submit.Elapsed + TimeSpan.FromSeconds(job.Seconds) + fetch.Elapsed;
        Write("cluster, all of it", cpu, wall);
        List<long> sizes = await cluster.QueryAsync(
            "select pg_total_relation_size(name::regclass) from unnest(array['fastllm.chunks', 'fastllm.answers']) as name", reader => reader.GetInt64(0));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"\nIn the database: {sizes[0] / rows} bytes a row in chunks, {sizes[1] / rows} in answers."));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"The cluster takes {cpu / run.Cpu:F2} times the CPU and {wall / run.Elapsed:F2} times the time. Peak memory of the worker: {cluster.Workers[0].PeakMegabytes:F0} MB."));
        return await ClusterRows.CountWrongAsync(alone, rows) == 0 && await ClusterRows.CountWrongAsync(output, rows) == 0;

        void Write(string what, TimeSpan cpuTime, TimeSpan elapsed) => Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {what} | {cpuTime.TotalMicroseconds / rows:F0} | {(elapsed == TimeSpan.Zero ? "" : string.Create(CultureInfo.InvariantCulture, $"{elapsed.TotalMicroseconds / rows:F0}"))} |"));
    }
}
