using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class SummaryTests
{
    [Fact]
    public void Write_OnATerminal_BreaksLinesButNotTheOnesToCopy()
    {
        using var writer = new StringWriter();
        var result = new JobResult
        {
            Failures = new Dictionary<FailureKind, (long, string)> { [FailureKind.InvalidAnswer] = (7, "The answer is not one of the labels good, bad, mixed.") },
            OutputFile = "a folder with a long name/and a table with a long name.csv",
        };
        string resume = "fastllm run 'a folder with a long name/and a table with a long name.csv' --model m";

        new Summary(result, resume) { Width = 60 }.Write(writer);

        string[] lines = writer.ToString().ReplaceLineEndings("\n").Split('\n');
        Assert.Contains("failed:      7 × InvalidAnswer, for example: The answer is", lines);
        Assert.Contains("             not one of the labels good, bad, mixed.", lines);
        Assert.Contains($"output:      {result.OutputFile}", lines);
        Assert.Contains($"resume:      {resume}", lines);
    }

    [Fact]
    public void Write_SimulatedAnswers_SaysThatNothingWasPaid()
    {
        using var writer = new StringWriter();

        new Summary(new JobResult { Cost = 0.0211m, JobCost = 0.0212m }) { IsSimulated = true }.Write(writer);

        Assert.Contains("cost:        $0.0211 simulated, nothing was paid · $0.0212 for all runs of this output", writer.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("response_format.type must be one of: text, json_object", 400, true)]
    [InlineData("Unsupported parameter: 'text.format'", 422, true)]
    [InlineData("The prompt is too long.", 400, false)]
    [InlineData("response_format", 500, false)]
    public void SchemaHint_IsGivenWhereTheServerRefusesSchemas(string message, int status, bool isGiven)
    {
        var job = new JobOptions { Input = "in.csv", Output = "out.csv", Template = new RowTemplate { Prompt = "{{text}}" }, Answers = AnswerForm.OfLabels("good", "bad") };
        var failure = new LlmException(FailureKind.InvalidRequest, message) { StatusCode = status };

        Assert.Equal(isGiven, SchemaHint.On(job, failure)?.Contains("--schema-in-prompt", StringComparison.Ordinal) ?? false);
        job.Answers = job.Answers.InPrompt();
        Assert.Null(SchemaHint.On(job, failure));
    }

    [Fact]
    public void Write_ListsResultsFailuresAndBottlenecks()
    {
        using var writer = new StringWriter();
        var result = new JobResult
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
                LearnedLimits = [new LearnedLimits { Model = "m", InFlight = 20, RefusedAtRandom = 0.1 }],
            },
            Failures = new Dictionary<FailureKind, (long, string)>
            {
                [FailureKind.InvalidRequest] = (1, "bad"), [FailureKind.Timeout] = (2, "first \u001b[31mexample"),
            },
            Rows = 2_000,
            Answered = 1_197,
            Failed = 3,
            Kept = 800,
            Equal = 50,
            OutputFile = "in.out.jsonl",
            FinishReasons = new Dictionary<string, long> { ["stop"] = 1_100, ["length"] = 97 },
        };

        new Summary(result, "fastllm run in.jsonl").Write(writer);

        Assert.Equal(
            """
            rows:        2,000 · 1,197 ok · 3 failed · 100 cached · 50 shared · 800 kept
            sends:       1,300 · 40 retries · 9 throttled
            tokens:      10,000 prompt · 5,000 completion · 700 of them reasoning
            time:        1:00 · 20.0 rows/s
            bottleneck:  requests/min 67%, back-off 17%, provider latency 16%
                         Ask the provider for more than 1,200 requests per minute, or combine requests.
            provider:    about 20 in flight, refuses 10 % at random
                         To skip the learning next time, use --concurrency 20.
            finished:    97 × length
            failed:      2 × Timeout, for example: first [31mexample
            failed:      1 × InvalidRequest, for example: bad
            duplicates:  50 rows are identical to another row and share its response. Use --no-dedup to send each of them, or --samples N for N responses per row.
            warning:     2 sends failed after the whole request was sent, and may be billed. If they timed out, raise --timeout.
            output:      in.out.jsonl
            resume:      fastllm run in.jsonl

            """,
            writer.ToString(),
            ignoreLineEndingDifferences: true);
    }

    [Fact]
    public void Write_BudgetExhausted_ShowsCostAndBudget()
    {
        using var writer = new StringWriter();
        var result = new JobResult
        {
            Stats = new TokenStats { Unpriced = 3 },
            Cost = 0.01234m,
            JobCost = 1.5m,
            Budget = 2,
            Stopped = new LlmRunException("The budget is used up.", new LlmException(FailureKind.BudgetExhausted, "used up"), []),
        };

        new Summary(result, ResumeCommand: "fastllm run in.jsonl").Write(writer);

        Assert.Contains("cost:        $0.0123 · $1.50 for all runs of this output · budget $2.00", writer.ToString(), StringComparison.Ordinal);
        Assert.Contains("warning:     3 responses are not included in the cost", writer.ToString(), StringComparison.Ordinal);
        Assert.Contains("budget:      $1.50 of $2.00 used", writer.ToString(), StringComparison.Ordinal);
    }
}
