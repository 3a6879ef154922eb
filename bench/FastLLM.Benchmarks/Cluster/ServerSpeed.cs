using System.Diagnostics;
using System.Globalization;
using FastLLM.Benchmarks.Serving;
using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Chunks;
using FastLLM.Cluster.Store;

namespace FastLLM.Benchmarks.Cluster;

/// <summary>How many rows a second the servers bear: rows in, chunks taken and completed, output out, messages. No request is sent but those of
/// one chunk, whose output stands for that of all.</summary>
internal static class ServerSpeed
{
    private const int Callers = 8;
    private const double MaxMegabytes = 200;

    public static async Task<bool> RunAsync(ClusterServers servers, Flags flags)
    {
        int rows = flags.Int("--rows", 1_000_000);
        await using LocalCluster cluster = await LocalCluster.CreateAsync(servers);
        await using var store = new ClusterStore(cluster.Connection);
        var chunks = new ChunkStore(store);
        byte[] output = await ProcessOneAsync(cluster, chunks);
        string input = cluster.PathOf("million.jsonl");
        await ClusterRows.WriteAsync(input, rows, rows);
        Console.WriteLine("| what | rows/s | peak memory, MB |\n|---|---|---|");
        ProcessRun submit = await cluster.MeasureAsync("submit", input, "--base-url", "http://127.0.0.1:9/v1");
        string job = submit.Output.Trim();
        Write($"submit, {rows:N0} rows", rows / submit.Elapsed.TotalSeconds, submit.PeakMegabytes);

        IReadOnlyList<ChunkId> waiting = await chunks.ListWaitingAsync(job, int.MaxValue, CancellationToken.None);
        long began = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(waiting, new ParallelOptions { MaxDegreeOfParallelism = Callers }, async (id, ended) =>
        {
            TakenChunk taken = (await chunks.TakeAsync(id, "bench", ended))!;
            await chunks.CompleteAsync(taken, output, default, ended);
        });
        Write("PostgreSQL: chunks taken and completed", rows / Stopwatch.GetElapsedTime(began).TotalSeconds, 0);

        ProcessRun fetch = await cluster.MeasureAsync("fetch", job, "-o", cluster.PathOf("out.jsonl"));
        Write($"fetch, {rows:N0} rows", rows / fetch.Elapsed.TotalSeconds, fetch.PeakMegabytes);
        await MeasureBrokerAsync(cluster, waiting);
        return fetch.PeakMegabytes <= MaxMegabytes && File.ReadLines(cluster.PathOf("out.jsonl")).LongCount() >= rows;
    }

    private static async Task<byte[]> ProcessOneAsync(LocalCluster cluster, ChunkStore chunks)
    {
        await using ServerProcess provider = await ServerProcess.StartAsync();
        string input = cluster.PathOf("one.jsonl");
        await ClusterRows.WriteAsync(input, ChunkWriter.MaxRows, ChunkWriter.MaxRows);
        await cluster.StartWorkersAsync(1);
        string job = await cluster.SubmitAsync(input, provider.ApiBase, 100);
        await cluster.WaitAsync(job);
        cluster.Workers[0].Kill();
        return (await chunks.ReadOutputAsync(new ChunkId(job, 0), CancellationToken.None))!;
    }

    private static async Task MeasureBrokerAsync(LocalCluster cluster, IReadOnlyList<ChunkId> messages)
    {
        await using BrokerSession session = await BrokerSession.OpenAsync(
            BrokerAddress.Parse(cluster.Broker.ToString()), "bench", "bench", CancellationToken.None);
        long began = Stopwatch.GetTimestamp();
        await session.PublishAsync(messages, CancellationToken.None);
        Write("RabbitMQ: messages published", messages.Count / Stopwatch.GetElapsedTime(began).TotalSeconds * ChunkWriter.MaxRows, 0);

        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var received = 0;
        began = Stopwatch.GetTimestamp();
        await session.ConsumeAsync(
            4,
            async delivery =>
            {
                await delivery.AckAsync();
                if (++received == messages.Count)
                {
                    all.TrySetResult();
                }
            },
            CancellationToken.None);
        await all.Task;
        Write("RabbitMQ: messages received and acknowledged", messages.Count / Stopwatch.GetElapsedTime(began).TotalSeconds * ChunkWriter.MaxRows, 0);
    }

    private static void Write(string what, double rate, double peak) => Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"| {what} | {rate:N0} | {(peak > 0 ? peak.ToString("F0", CultureInfo.InvariantCulture) : "")} |"));
}
