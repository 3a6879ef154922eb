using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class SummaryTests
{
    [Fact]
    public void Write_SaysWhatWasDone_AndWhatFailedAndWhy()
    {
        var failures = new FailureGroups();
        failures.Add(FailureKind.Timeout, "first \u001b[31mexample");
        failures.Add(FailureKind.Timeout, "second");
        failures.Add(new LlmException(FailureKind.InvalidRequest, "bad"));
        using var writer = new StringWriter();

        new Summary
        {
            Stats = new TokenStats
            {
                RequestsCompleted = 1_200, Failed = 3, CacheHits = 100, Shared = 50, Sent = 1_300, Retried = 40, Throttled = 9, MaybeBilled = 2,
                PromptTokens = 10_000, CompletionTokens = 5_000, ReasoningTokens = 700, ElapsedTime = TimeSpan.FromSeconds(60),
                LimitedByShares = new Dictionary<Bottleneck, double>
                {
                    [Bottleneck.RequestsPerMinute] = 0.6666, [Bottleneck.BackOff] = 0.1667, [Bottleneck.ProviderLatency] = 0.1657, [Bottleneck.Input] = 0.001,
                },
                RequestLimit = 1_200,
            },
            Failures = failures,
            Rows = 2_000,
            Kept = 800,
            Duplicates = 50,
            FinishReasons = new Dictionary<string, long> { ["stop"] = 1_100, ["length"] = 97 },
            Output = "in.out.jsonl",
            GoOn = "fastllm run in.jsonl",
        }.Write(writer);

        Assert.Equal(
            """
            rows    2,000: 1,197 ok · 3 failed · 100 cached · 50 shared · 800 kept
            sends   1,300 · 40 retries · 9 throttled
            tokens  10,000 prompt · 5,000 completion · 700 for reasoning
            time    1:00 · 20.0 rows/s
            slow?   67% requests/min · 17% back-off · 16% provider latency
                    mostly requests/min: ask the provider for more than 1,200 requests a minute, or put more into each request.
            ended   97 by length
            failed  2 × Timeout, for example: first [31mexample
            failed  1 × InvalidRequest, for example: bad
            equal   50 rows ask what another row asks, and share its answer. --no-dedup asks each of them, --samples N asks every row N times.
            billed? 2 sends failed after they had gone out whole, and may be billed. If they timed out, raise --timeout.
            output  in.out.jsonl
            go on   fastllm run in.jsonl

            """,
            writer.ToString(),
            ignoreLineEndingDifferences: true);
    }

    [Fact]
    public void Write_SaysWhatItCost_WhatIsNotCounted_AndWhatToDoWhenTheBudgetIsUsedUp()
    {
        using var writer = new StringWriter();

        new Summary { Stats = new TokenStats { Unpriced = 3 }, Cost = 0.01234m, JobCost = 1.5m, Budget = 2, NeedsLargerBudget = true, GoOn = "fastllm run in.jsonl" }.Write(writer);

        Assert.Contains("cost    $0.0123 · $1.50 in all runs of this output · of $2.00 (--max-cost)", writer.ToString(), StringComparison.Ordinal);
        Assert.Contains("price?  3 answers are not counted", writer.ToString(), StringComparison.Ordinal);
        Assert.Contains("budget  $1.50 of $2.00 are spent", writer.ToString(), StringComparison.Ordinal);
    }
}
