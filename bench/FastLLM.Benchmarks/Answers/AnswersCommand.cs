using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Answers;

/// <summary>The cache in PostgreSQL: what a put, a look-up and a claimed row cost, and whether processes send equal requests once.</summary>
internal static class AnswersCommand
{
    private const string Scope = "https://api.example.com/v1";

    public static async Task<int> RunAsync(Flags flags)
    {
        string store = flags.Required("--store");
        if (flags.Has("--processes"))
        {
            return await SharedRows.RunAsync(store, flags);
        }

        int rows = flags.Int("--rows", 100_000), callers = flags.Int("--callers", 400);
        byte[] body = Body(flags.Int("--bytes", 800));
        await using PostgresCache cache = await PostgresCache.OpenAsync(store);
        await cache.ClearAsync();
        await using BackendTime backends = await BackendTime.OpenAsync(store);
        Console.WriteLine($"{rows:N0} rows of {body.Length:N0} bytes, {callers} callers, fsync {await backends.SettingAsync("fsync")}, synchronous_commit {await backends.SettingAsync("synchronous_commit")}");
        Console.WriteLine("| what | per second | CPU here, µs a row | CPU of PostgreSQL, µs a row | median of a call, ms |");
        Console.WriteLine("|---|---|---|---|---|");
        await MeasureAsync("warm-up", Math.Min(rows, 5000), -rows, i => PutAsync(i));
        await MeasureAsync("puts", rows, 0, i => PutAsync(i));
        await MeasureAsync("look-ups, found", rows, 0, async i => _ = (await cache.GetAsync(Key(i), Scope))!.Value);
        await MeasureAsync("look-ups that would claim, found", rows, 0, async i => _ = (await cache.GetOrClaimAsync(Key(i), Scope)).Entry!.Value);
        await MeasureAsync("look-ups, missing", rows, rows, async i => _ = await cache.GetAsync(Key(i), Scope));
        await MeasureAsync("claim and put: a row that is sent", rows, rows, async i =>
        {
            CacheClaim claim = (await cache.GetOrClaimAsync(Key(i), Scope)).Claim!;
            await PutAsync(i);
            claim.Release();
        });
        await MeasureAsync("one caller: look-up", 1000, 0, async i => _ = await cache.GetAsync(Key(i), Scope), alone: true);
        await MeasureAsync("one caller: put", 1000, 2 * rows, i => PutAsync(i), alone: true);
        return 0;

        ValueTask PutAsync(int i) => cache.PutAsync(Key(i), new CacheEntry(body, Scope, 200, DateTimeOffset.UnixEpoch) { Model = "gpt-5-mini" });

        async Task MeasureAsync(string what, int count, int first, Func<int, ValueTask> call, bool alone = false)
        {
            var latencies = new double[count];
            using Process self = Process.GetCurrentProcess();
            (TimeSpan here, double there) = (self.TotalProcessorTime, await backends.TakeAsync());
            long began = Stopwatch.GetTimestamp();
            int next = -1;
            await Task.WhenAll(Enumerable.Range(0, alone ? 1 : callers).Select(_ => Task.Run(async () =>
            {
                for (int i = Interlocked.Increment(ref next); i < count; i = Interlocked.Increment(ref next))
                {
                    long started = Stopwatch.GetTimestamp();
                    await call(first + i);
                    latencies[i] = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
                }
            })));
            double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            self.Refresh();
            double own = (self.TotalProcessorTime - here).TotalMicroseconds / count;
            double theirs = (await backends.TakeAsync() - there) * 1e6 / count;
            Array.Sort(latencies);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {what} | {count / seconds:N0} | {own:F1} | {theirs:F1} | {latencies[count / 2]:F2} |"));
        }
    }

    private static RequestKey Key(int number) => RequestKey.Compute("/v1/x", Encoding.UTF8.GetBytes($"{{\"n\":{number}}}"));

    // As compressible as an answer: JSON around words.
    private static byte[] Body(int bytes)
    {
        var random = new Random(1);
        var text = new StringBuilder();
        while (text.Length < bytes)
        {
            text.Append("word").Append(random.Next(300)).Append(' ');
        }

        return JsonSerializer.SerializeToUtf8Bytes(new
        {
            id = "chatcmpl-1",
            @object = "chat.completion",
            choices = new[] { new { index = 0, message = new { role = "assistant", content = text.ToString(0, Math.Max(0, bytes - 250)) }, finish_reason = "stop" } },
            usage = new { prompt_tokens = 12, completion_tokens = 100, total_tokens = 112 },
        });
    }
}
