namespace FastLLM.Cli;

/// <summary>Represents the last lines of a run on standard error.</summary>
/// <param name="Result">The result of the job.</param>
/// <param name="ResumeCommand">The command that resumes the run; <see langword="null"/> if the run is complete.</param>
/// <param name="OffersNoDedup">Whether to suggest <c>--no-dedup</c> for identical rows.</param>
internal sealed record Summary(JobResult Result, string? ResumeCommand = null, bool OffersNoDedup = true)
{
    private const int LabelWidth = 13;
    private const int ExampleLength = 200;
    private const int MostModels = 5;

    /// <summary>Gets the width at which lines are broken, except for those that are copied; <see langword="null"/> where no terminal shows
    /// them.</summary>
    public int? Width { get; init; }

    /// <summary>Gets a value indicating whether the simulator answered, so that nothing was paid.</summary>
    public bool IsSimulated { get; init; }

    /// <summary>Gets the failures of this run by kind, the most frequent first, each with the message of its first row.</summary>
    public IEnumerable<(FailureKind Kind, long Count, string Example)> Failures =>
        Result.Failures.OrderByDescending(group => group.Value.Count).ThenBy(group => group.Key)
            .Select(group => (group.Key, group.Value.Count, group.Value.Example));

    /// <summary>Writes the summary.</summary>
    public void Write(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        TokenStats stats = Result.Stats;
        void Line(string label, params IEnumerable<string> parts) => WriteLine(writer, label, parts, Width);

        Line(
            "rows", Count(Result.Rows), Count(Result.Answered, "ok"), Count(Result.Failed, "failed"), Count(stats.CacheHits, "cached"),
            Count(stats.Shared, "shared"), NonZero(Result.Kept, "kept"));
        Line("sends", Count(stats.Sent), Count(stats.Retried, "retries"), NonZero(stats.Corrected, "corrections"),
            NonZero(stats.Throttled, "throttled"));
        Line(
            "tokens", Count(stats.PromptTokens, "prompt"),
            NonZero(stats.CachedTokens, $"{Part(stats.CachedTokens, stats.PromptTokens)} from the provider's cache"),
            Count(stats.CompletionTokens, "completion"),
            NonZero(stats.ReasoningTokens, $"{Part(stats.ReasoningTokens, stats.CompletionTokens)} reasoning"));
        if (Result.Cost > 0 || Result.JobCost > 0 || Result.Budget is not null)
        {
            Line(
                "cost", CostText.Dollars(Result.Cost) + (IsSimulated ? " simulated, nothing was paid" : ""),
                Result.JobCost > Result.Cost ? $"{CostText.Dollars(Result.JobCost)} for all runs of this output" : "",
                Result.Budget is { } budget ? $"budget {CostText.Dollars(budget)}" : "");
        }

        if (stats.Unpriced > 0)
        {
            Line("warning", $"{Count(stats.Unpriced)} responses are not included in the cost: their price or token count is unknown. "
                + "Use --prices FILE to add prices.");
        }

        string rate = Result.Answered > 0 && stats.ElapsedTime > TimeSpan.Zero
            ? FormattableString.Invariant($"{stats.RequestsPerSecond:N1} rows/s")
            : "";
        Line("time", DurationText.Clock(stats.ElapsedTime), rate);
        if (BottleneckText.Percentages(stats.LimitedByShares) is { Count: > 0 } shares)
        {
            Line("bottleneck", string.Join(", ", shares.Select(share => $"{BottleneckText.Name(share.Bottleneck)} {share.Percent}%")));
            if (!(Result.Interrupted && shares[0].Bottleneck == Bottleneck.Input)) // a run that ends reads no more
            {
                Line("", BottleneckText.Advice(stats)!);
            }
        }

        foreach (string limits in BottleneckText.Learned(stats, MostModels))
        {
            Line("provider", limits);
        }

        if (BottleneckText.ConfigureLearned(stats) is { } configure)
        {
            Line("", configure);
        }

        WriteDistribution(writer, Result.Distribution, Width);
        foreach ((string reason, long count) in Result.FinishReasons.OrderByDescending(row => row.Value).Where(row => row.Key != "stop"))
        {
            Line("finished", $"{Count(count)} × {TerminalText.Clean(reason, 40)}");
        }

        foreach ((FailureKind kind, long count, string example) in Failures)
        {
            Line("failed", $"{Count(count)} × {kind}, for example: {TerminalText.Clean(example, ExampleLength)}");
        }

        if (Result.Equal > 0)
        {
            string way = OffersNoDedup ? " Use --no-dedup to send each of them, or --samples N for N responses per row." : "";
            Line("duplicates", $"{Count(Result.Equal)} rows are identical to another row and share its response.{way}");
        }

        if (stats.MaybeBilled > 0)
        {
            Line("warning", $"{Count(stats.MaybeBilled)} sends failed after the whole request was sent, and may be billed. "
                + "If they timed out, raise --timeout.");
        }

        if (Result.OutputFile is { } output)
        {
            WriteLine(writer, "output", [TerminalText.Clean(output)], width: null);
        }

        if (Result.Stopped?.Kind == FailureKind.BudgetExhausted)
        {
            Line("budget", $"{CostText.Dollars(Result.JobCost)} of {CostText.Dollars(Result.Budget ?? 0)} used; the rest does not cover "
                + "the worst case of the next request. To continue, raise --max-cost, or lower that worst case.");
        }

        if (ResumeCommand is not null)
        {
            WriteLine(writer, "resume", [TerminalText.Clean(ResumeCommand)], width: null);
        }
    }

    /// <summary>Writes how answers are distributed, if that is known.</summary>
    public static void WriteDistribution(TextWriter writer, AnswerDistribution? distribution, int? width)
    {
        foreach ((string label, IReadOnlyList<string> parts) in distribution is null ? [] : DistributionText.Lines(distribution))
        {
            WriteLine(writer, label, parts, width);
        }
    }

    private static void WriteLine(TextWriter writer, string label, IEnumerable<string> parts, int? width)
    {
        string text = string.Join(" · ", parts.Where(part => part.Length > 0));
        writer.Write((label.Length > 0 ? label + ":" : "").PadRight(LabelWidth));
        WrappedText.Write(writer, text, width ?? int.MaxValue, LabelWidth, isFirstIndented: true);
    }

    private static string Count(long count, string what = "") => FormattableString.Invariant($"{count:N0} {what}").TrimEnd();

    // Some servers do not include them.
    private static string Part(long part, long whole) => part > whole ? "more" : "of them";

    private static string NonZero(long count, string what) => count > 0 ? Count(count, what) : "";
}
