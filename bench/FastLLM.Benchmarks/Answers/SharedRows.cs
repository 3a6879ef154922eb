using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Answers;

/// <summary>Processes that work on rows with equal requests at the same time, against one simulator and one database. Some are killed.</summary>
internal static class SharedRows
{
    public const string ChildCommand = "answers-child";

    public static async Task<int> RunAsync(string store, Flags flags)
    {
        int processes = flags.Int("--processes", 4), rows = flags.Int("--rows", 100_000), distinct = flags.Int("--distinct", 10_000);
        int kills = flags.Int("--kills", 0), inFlight = flags.Int("--in-flight", 200);
        var killAfter = TimeSpan.FromSeconds(flags.Number("--kill-after", 5));
        await using (PostgresCache cache = await PostgresCache.OpenAsync(store))
        {
            await cache.ClearAsync();
        }

        await using ServerProcess server = await ServerProcess.StartAsync(flags.Number("--latency", 100), flags.Number("--sigma", 0.5));
        long began = Stopwatch.GetTimestamp();
        Task<ChildResult>[] children = [.. Enumerable.Range(0, processes).Select(StartAsync)];
        ChildResult[] results = await Task.WhenAll(children);
        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        using var http = new HttpClient();
        using JsonDocument stats = JsonDocument.Parse(await http.GetStringAsync(new Uri(server.ApiBase.Replace("/v1", "/simulator/stats", StringComparison.Ordinal))));
        long sends = stats.RootElement.GetProperty("sends").GetInt64();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{processes} processes, {rows:N0} rows, {distinct:N0} different requests, {kills} kills: {sends:N0} sends, {results.Sum(result => result.Answered):N0} rows answered, {results.Sum(result => result.Hits):N0} from the cache, {seconds:F1} s, {rows / seconds:N0} rows/s, CPU a row {results.Sum(result => result.Cpu) * 1e6 / rows:F0} µs in the clients"));
        long most = distinct + ((long)kills * inFlight);
        bool isRight = sends >= distinct && sends <= most && results.Sum(result => result.Answered) == rows;
        Console.WriteLine(isRight ? "as promised" : $"VIOLATED: not {distinct:N0} to {most:N0} sends, or not all rows");
        return isRight ? 0 : 1;

        // A killed process is started again with the same rows: what it has stored is not sent again.
        async Task<ChildResult> StartAsync(int number)
        {
            for (var life = 0; ; life++)
            {
                using Process child = OwnProcess.Start(
                [
                    ChildCommand, "--store", store, "--url", server.ApiBase, "--number", number.ToString(CultureInfo.InvariantCulture),
                    "--rows", (rows / processes).ToString(CultureInfo.InvariantCulture), "--distinct", distinct.ToString(CultureInfo.InvariantCulture),
                    "--in-flight", inFlight.ToString(CultureInfo.InvariantCulture),
                    "--of", processes.ToString(CultureInfo.InvariantCulture),
                ]);
                Task<string> output = child.StandardOutput.ReadToEndAsync();
                if (number == 0 && life < kills && await Task.WhenAny(output, Task.Delay(killAfter)) != output)
                {
                    child.Kill();
                    await child.WaitForExitAsync();
                    continue;
                }

                await child.WaitForExitAsync();
                return JsonSerializer.Deserialize<ChildResult>(await output)!;
            }
        }
    }

    public static async Task<int> RunChildAsync(Flags flags)
    {
        int rows = flags.Int("--rows", 0), distinct = flags.Int("--distinct", 0);
        var random = new Random(flags.Int("--number", 0));
        await using PostgresCache cache = await PostgresCache.OpenAsync(
            flags.Required("--store"), new PostgresCacheOptions { OnNotice = Console.Error.WriteLine });
        await using var manager = new RequestManager(
            new OpenAIProvider("no-key-needed", flags.Required("--url")),
            new RequestManagerOptions { Concurrency = flags.Int("--in-flight", 200), ShowProgress = false, Cache = cache });
        long answered = 0;
        await foreach (ResponseWrapper<LlmResponse> outcome in manager.ProcessAsync(RowsAsync()))
        {
            answered += outcome.IsSuccess ? 1 : 0;
            if (!outcome.IsSuccess)
            {
                await Console.Error.WriteLineAsync(outcome.Error!.Message);
            }
        }

        using Process self = Process.GetCurrentProcess();
        Console.WriteLine(JsonSerializer.Serialize(new ChildResult(answered, manager.Stats.CacheHits + manager.Stats.Shared, self.TotalProcessorTime.TotalSeconds)));
        return 0;

        async IAsyncEnumerable<LlmRequest> RowsAsync()
        {
            // A part of the rows makes sure that each request is there; the others are random.
            int number = flags.Int("--number", 0), processes = flags.Int("--of", 4);
            for (var row = 0; row < rows; row++)
            {
                int question = row * processes < distinct ? (row * processes) + number : random.Next(distinct);
                yield return LlmRequest.FromPrompt("You answer questions.", $"question {question % distinct}", "m");
            }

            await Task.CompletedTask;
        }
    }

    private sealed record ChildResult(long Answered, long Hits, double Cpu);
}
