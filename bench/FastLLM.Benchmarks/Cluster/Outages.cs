using System.Diagnostics;
using System.Globalization;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Cluster;

/// <summary>The database, and then the broker, is killed and away for a minute, while a job is done.</summary>
internal static class Outages
{
    private static readonly TimeSpan s_before = TimeSpan.FromSeconds(10);

    public static async Task<bool> RunAsync(ClusterServers servers, Flags flags)
    {
        int workers = flags.Int("--workers", 4);
        var away = TimeSpan.FromSeconds(flags.Number("--seconds", 60));
        Console.WriteLine("| away | for, s | rows | wrong rows | sends above the rows | done after it is back, s |\n|---|---|---|---|---|---|");
        return await MeasureAsync("PostgreSQL", servers.Postgres.StopAsync, servers.Postgres.StartAgainAsync)
            & await MeasureAsync("RabbitMQ", servers.Rabbit.StopAsync, servers.Rabbit.StartAgainAsync);

        async Task<bool> MeasureAsync(string name, Func<bool, Task> stop, Func<Task> startAgain)
        {
            // With more rows than are in work: work remains for the time after the outage.
            int rows = flags.Int("--rows", 20_000);
            await using LocalCluster cluster = await LocalCluster.CreateAsync(servers);
            await using ServerProcess provider = await ServerProcess.StartAsync(flags.Number("--latency", 500));
            string input = cluster.PathOf("outage.jsonl"), output = cluster.PathOf("out.jsonl");
            await ClusterRows.WriteAsync(input, rows, rows);
            await cluster.StartWorkersAsync(workers);
            string id = await cluster.SubmitAsync(input, provider.ApiBase, inFlight: 50);
            await Task.Delay(s_before);
            await stop(true);
            await Task.Delay(away);
            await startAgain();
            long back = Stopwatch.GetTimestamp();
            JobResult job = await cluster.WaitAsync(id);
            double seconds = Stopwatch.GetElapsedTime(back).TotalSeconds;
            long sends = await ProviderCounts.SendsAsync(provider);
            await cluster.FetchAsync(id, output);
            long wrong = await ClusterRows.CountWrongAsync(output, rows);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {name} | {away.TotalSeconds:F0} | {rows:N0} | {wrong} | {sends - rows} | {seconds:F1} |"));
            return wrong == 0 && job.Answered == rows && sends == rows;
        }
    }
}
