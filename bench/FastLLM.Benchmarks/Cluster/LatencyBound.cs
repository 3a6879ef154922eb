using System.Globalization;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Cluster;

/// <summary>Answers that take a second: four workers do four times what one does.</summary>
internal static class LatencyBound
{
    private const int InFlight = 200;
    private const double MinGain = 0.95; // of the number of workers

    public static async Task<bool> RunAsync(ClusterServers servers, Flags flags)
    {
        int workers = flags.Int("--workers", 4);
        double seconds = flags.Number("--seconds", 120); // the last chunk of each worker takes some seconds more
        Console.WriteLine("| workers | rows | time, s | rows/s | of the slots |\n|---|---|---|---|---|");
        double one = await MeasureAsync(1), all = await MeasureAsync(workers);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\n{workers} workers do {all / one:F2} times what one does."));
        return all / one >= MinGain * workers;

        async Task<double> MeasureAsync(int count)
        {
            await using LocalCluster cluster = await LocalCluster.CreateAsync(servers);
            await using ServerProcess provider = await ServerProcess.StartAsync(flags.Number("--latency", 1000));
            int rows = (int)(seconds * InFlight) * count;
            string input = cluster.PathOf("latency.jsonl");
            await ClusterRows.WriteAsync(input, rows, rows);
            await cluster.StartWorkersAsync(count);
            JobResult job = await cluster.WaitAsync(await cluster.SubmitAsync(input, provider.ApiBase, InFlight));
            double rate = job.Rows / job.Seconds;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {count} | {rows:N0} | {job.Seconds:F1} | {rate:N0} | {rate / (count * InFlight):P0} |"));
            return rate;
        }
    }
}
