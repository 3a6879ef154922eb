using System.Diagnostics;
using System.Globalization;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Load;

/// <summary>S10. Question: is the limit of a provider used up and not exceeded, configured or not?</summary>
/// <remarks>
/// <c>--requests</c> is the limit a minute; each run sends as much as the limit allows in <c>--seconds</c>. Goodput is what was answered, by the time that it
/// took from the first send to the last answer; of tokens, what the simulator counts: the prompt and the output that is allowed.
/// </remarks>
internal static class Limits
{
    private const int TokensPerMinute = 600_000;
    private const int LatencyMilliseconds = 200;

    private static readonly TimeSpan s_learning = TimeSpan.FromSeconds(10);

    public static async Task<Figure> MeasureAsync(Flags flags)
    {
        bool tiny = flags.Has("--tiny");
        int perMinute = flags.Int("--requests", 1_200);
        double seconds = flags.Number("--seconds", tiny ? 3 : 60);
        string requests = await MeasureAsync("requests", perMinute, null, new RateLimits { RequestsPerMinute = perMinute }, seconds);
        string tokens = await MeasureAsync("tokens", null, TokensPerMinute, new RateLimits { TokensPerMinute = TokensPerMinute }, seconds);
        string learned = await MeasureAsync("not configured", perMinute, null, null, seconds);
        return new Figure("S10", $"a limit of {perMinute} requests/min, of {TokensPerMinute} tokens/min with prompts and outputs of mixed size, and one that is not configured, {seconds:0} s: goodput / limit, share of 429",
            "≥ 0.95, ≤ 1 %; not configured ≥ 0.85, after 10 s ≤ 3 %", "≥ 0.99, ≤ 0.1 %", $"requests {requests}; tokens {tokens}; not configured {learned}");
    }

    private static async Task<string> MeasureAsync(string name, int? requestsPerMinute, int? tokensPerMinute, RateLimits? limits, double seconds)
    {
        await using ServerProcess server = await ServerProcess.StartAsync(LatencyMilliseconds, requestsPerMinute: requestsPerMinute, tokensPerMinute: tokensPerMinute);
        LlmRequest[] rows = Rows(requestsPerMinute, tokensPerMinute, seconds);
        await using var manager = new RequestManager(
            new OpenAIProvider("no-key-needed", server.ApiBase),
            new RequestManagerOptions { Concurrency = 1_000, AdaptiveConcurrency = true, RateLimits = limits, ShowProgress = false, MaxThrottleWait = TimeSpan.FromHours(1) });
        long start = Stopwatch.GetTimestamp();
        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> run = manager.ProcessBatchAsync(rows);
        await Task.WhenAny(run, Task.Delay(s_learning));
        TokenStats learned = manager.Stats;
        IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await run;
        double minutes = Stopwatch.GetElapsedTime(start).TotalMinutes;
        if (outcomes.Any(outcome => !outcome.IsSuccess))
        {
            throw new InvalidOperationException("Answers are missing.");
        }

        double counted = tokensPerMinute is null ? rows.Length : outcomes.Select((outcome, i) => outcome.Usage!.PromptTokens + rows[i].MaxCompletionTokens!.Value).Sum();
        double goodput = counted / minutes / (requestsPerMinute ?? tokensPerMinute)!.Value;
        TokenStats end = manager.Stats;
        double later = end.Sent > learned.Sent ? (double)(end.Throttled - learned.Throttled) / (end.Sent - learned.Sent) : 0;
        string measured = string.Create(CultureInfo.InvariantCulture, $"{goodput:F3}, {(double)end.Throttled / end.Sent:P2} (after 10 s {later:P2})");
        Console.WriteLine($"  {name,-14} {measured}");
        return measured;
    }

    private static LlmRequest[] Rows(int? requestsPerMinute, int? tokensPerMinute, double seconds)
    {
        var random = new Random(10);
        var rows = new List<LlmRequest>();
        double left = (requestsPerMinute ?? tokensPerMinute)!.Value * seconds / 60;
        while (left > 0)
        {
            int words = random.Next(10, 1_500);
            int allowed = random.Next(16, 800);
            rows.Add(LlmRequest.FromPrompt(null, string.Create(CultureInfo.InvariantCulture, $"{rows.Count:D6} ") + string.Concat(Enumerable.Repeat("abc ", words)), "m") with { MaxCompletionTokens = allowed });
            left -= tokensPerMinute is null ? 1 : words + allowed;
        }

        return [.. rows];
    }
}
