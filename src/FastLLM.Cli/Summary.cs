using System.Globalization;

namespace FastLLM.Cli;

/// <summary>What a run has done, for the last lines on standard error.</summary>
internal sealed class Summary
{
    private const int ExampleLength = 200;

    /// <summary>Gets the numbers of the engine.</summary>
    public required TokenStats Stats { get; init; }

    /// <summary>Gets what failed and why.</summary>
    public FailureGroups Failures { get; init; } = new();

    /// <summary>Gets how many rows the input has; <see langword="null"/> where it was not read to its end.</summary>
    public long? Rows { get; init; }

    /// <summary>Gets how many rows stood in the output already and were kept.</summary>
    public long Kept { get; init; }

    /// <summary>Gets how many rows were answered; left out, the engine's numbers tell.</summary>
    public long? Answered { get; init; }

    /// <summary>Gets how many rows stand failed in the output, kept ones included; left out, the engine's numbers tell.</summary>
    public long? Failed { get; init; }

    /// <summary>Gets how many rows ask what an earlier row asks, and share its answer.</summary>
    public long Duplicates { get; init; }

    /// <summary>Gets how many answers ended for each reason (<c>stop</c>, <c>length</c> …).</summary>
    public IReadOnlyDictionary<string, long> FinishReasons { get; init; } = new Dictionary<string, long>();

    /// <summary>Gets what this run cost, as far as prices are known.</summary>
    public decimal Cost { get; init; }

    /// <summary>Gets what all runs of the output have cost.</summary>
    public decimal JobCost { get; init; }

    /// <summary>Gets the budget, where there is one.</summary>
    public decimal? Budget { get; init; }

    /// <summary>Gets a value indicating whether the run stopped because the budget is used up.</summary>
    public bool NeedsLargerBudget { get; init; }

    /// <summary>Gets where the answers are; <see langword="null"/> where there is nothing to say about it.</summary>
    public string? Output { get; init; }

    /// <summary>Gets the command that goes on after an early stop; <see langword="null"/> when the run is complete.</summary>
    public string? GoOn { get; init; }

    /// <summary>Gets a value indicating whether equal rows may be asked one by one with <c>--no-dedup</c>; false once that was given.</summary>
    public bool OffersNoDedup { get; init; } = true;

    /// <summary>Writes it.</summary>
    public void Write(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        CultureInfo culture = CultureInfo.InvariantCulture;
        void Line(FormattableString text) => writer.WriteLine(text.ToString(culture));

        long ok = Answered ?? Stats.RequestsCompleted - Stats.Failed;
        long failed = Failed ?? Stats.Failed;
        string kept = Kept > 0 ? string.Create(culture, $" · {Kept:N0} kept") : "";
        string rows = Rows is { } all ? string.Create(culture, $"{all:N0}: ") : "";
        Line($"rows    {rows}{ok:N0} ok · {failed:N0} failed · {Stats.CacheHits:N0} cached · {Stats.Shared:N0} shared{kept}");
        string throttled = Stats.Throttled > 0 ? string.Create(culture, $" · {Stats.Throttled:N0} throttled") : "";
        Line($"sends   {Stats.Sent:N0} · {Stats.Retried:N0} retries{throttled}");
        Line($"tokens  {Stats.PromptTokens:N0} prompt · {Stats.CompletionTokens:N0} completion{Part(Stats.CachedTokens, "read from the provider's cache")}{Part(Stats.ReasoningTokens, "for reasoning")}");
        WriteCost(writer);
        string rate = Stats.ElapsedTime > TimeSpan.Zero ? string.Create(culture, $" · {Stats.RequestsPerSecond:N1} rows/s") : "";
        Line($"time    {DurationText.Clock(Stats.ElapsedTime)}{rate}");
        if (BottleneckText.Percentages(Stats.LimitedByShares) is { Count: > 0 } shares)
        {
            Line($"slow?   {string.Join(" · ", shares.Select(share => $"{share.Percent}% {BottleneckText.Name(share.Factor)}"))}");
            Line($"        {BottleneckText.Advice(Stats)}");
        }

        foreach ((string reason, long count) in FinishReasons.Where(reason => reason.Key != "stop").OrderByDescending(reason => reason.Value))
        {
            Line($"ended   {count:N0} by {TerminalText.Clean(reason, 40)}");
        }

        foreach ((FailureKind kind, long count, string example) in Failures.ToList())
        {
            Line($"failed  {count:N0} × {kind}, for example: {TerminalText.Clean(example, ExampleLength)}");
        }

        if (Duplicates > 0)
        {
            string way = OffersNoDedup ? " --no-dedup asks each of them, --samples N asks every row N times." : "";
            Line($"equal   {Duplicates:N0} rows ask what another row asks, and share its answer.{way}");
        }

        if (Stats.MaybeBilled > 0)
        {
            Line($"billed? {Stats.MaybeBilled:N0} sends failed after they had gone out whole, and may be billed. If they timed out, raise --timeout.");
        }

        if (Output is not null)
        {
            Line($"output  {TerminalText.Clean(Output)}");
        }

        if (NeedsLargerBudget)
        {
            Line($"budget  {CostText.Dollars(JobCost)} of {CostText.Dollars(Budget ?? 0)} are spent, and what is left cannot pay the next request's worst case: raise --max-cost to go on.");
        }

        if (GoOn is not null)
        {
            Line($"go on   {TerminalText.Clean(GoOn)}");
        }
    }

    // Nothing is said where nothing is known and nobody asked.
    private void WriteCost(TextWriter writer)
    {
        string job = JobCost > Cost ? $" · {CostText.Dollars(JobCost)} in all runs of this output" : "";
        string budget = Budget is { } most ? $" · of {CostText.Dollars(most)} (--max-cost)" : "";
        if (Cost > 0 || JobCost > 0 || Budget is not null)
        {
            writer.WriteLine($"cost    {CostText.Dollars(Cost)}{job}{budget}");
        }

        if (Stats.Unpriced > 0)
        {
            writer.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"price?  {Stats.Unpriced:N0} answers are not counted in the cost: the price of their model is not known, or how many tokens they took. --prices FILE tells prices."));
        }
    }

    private static string Part(long count, string what) => count > 0 ? string.Create(CultureInfo.InvariantCulture, $" · {count:N0} {what}") : "";
}
