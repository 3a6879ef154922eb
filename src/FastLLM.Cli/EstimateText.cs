using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Formats what a run would send and cost.</summary>
internal static class EstimateText
{
    private const int MaxModels = 10;
    private const int MaxBodyLength = 4_000;
    private const string WithoutModel = "rows without a model";

    /// <summary>Writes the estimate.</summary>
    public static void Write(TextWriter writer, JobPlan estimate)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(estimate);
        void Line(string label, FormattableString text) =>
            writer.WriteLine((label.Length > 0 ? label + ":" : "").PadRight(10) + text.ToString(CultureInfo.InvariantCulture));

        string invalid = estimate.Invalid > 0 ? FormattableString.Invariant($" · {estimate.Invalid:N0} invalid") : "";
        string shared = estimate.Shared > 0 ? FormattableString.Invariant($" · {estimate.Shared:N0} shared with rows in the output") : "";
        string done = FormattableString.Invariant($"{estimate.Kept:N0} in the output · {estimate.Cached:N0} in the cache{shared}");
        Line("rows", $"{estimate.Rows:N0} · {estimate.Distinct:N0} distinct · {done} · {estimate.ToSend:N0} to send{invalid}");
        Line("tokens", $"prompt {Range(estimate, model => model.PromptTokens)}");
        Line("", $"completion {Range(estimate, model => model.CompletionTokens)}");
        Line("cost", $"{Cost(estimate)}");
        if (estimate.Spent > 0)
        {
            Line("", $"{CostText.Dollars(estimate.Spent)} for earlier runs of this output");
        }

        if (estimate is { Budget: { } budget, MaxRequestCost: { } most })
        {
            string one = CostText.Dollars(most);
            Line("budget", $"{CostText.Dollars(budget)}; one request may cost up to {one}: {estimate.MaxRequestCostText}");
            if (most > budget - estimate.Spent)
            {
                Line("", $"That is more than the budget leaves: the run stops before it sends such a request.");
            }
            else if (most * 20 > budget - estimate.Spent)
            {
                Line("", $"A request is sent only while the rest of the budget covers that, so the run may end with as much unused.");
            }
        }

        foreach (ModelEstimate model in estimate.Models.Take(MaxModels))
        {
            Line("assumed", $"{Assumption(model)}");
        }

        if (estimate.Models.Count > 0)
        {
            Line("", $"no retries, no discount for the prompt cache of the provider, and one price for prompts of any length");
        }

        if (estimate.FirstBody is { } body)
        {
            string shown = TerminalText.Clean(body[..Math.Min(body.Length, MaxBodyLength)]);
            int rest = body.Length - MaxBodyLength;
            string more = rest > 0 ? FormattableString.Invariant($" … ({rest:N0} more characters)") : "";
            Line("first", $"POST {TerminalText.Clean(estimate.FirstEndpoint!)} {shown}{more}");
        }

        writer.WriteLine("Nothing was sent.");
    }

    /// <summary>Formats the cost as <c>$0.12 ($0.08 to $0.31)</c>, or the reason why it is unknown.</summary>
    public static string Cost(JobPlan estimate)
    {
        if (estimate.LikelyCost is not { } likely)
        {
            IEnumerable<string> unknown =
                estimate.Models.Where(model => model.Price is null)
                    .Select(model => NameOf(model, quote: "\""));
            return $"unknown: no price for {string.Join(", ", unknown.Take(MaxModels))}; use --prices FILE to add one";
        }

        string high = estimate.HighCost is { } most ? CostText.Dollars(most) : "unlimited, because the output has no limit";
        return $"{CostText.Dollars(likely)} ({CostText.Dollars(estimate.LowCost!.Value)} to {high})";
    }

    private static string NameOf(ModelEstimate model, string quote) =>
        model.Model.Length > 0 ? quote + TerminalText.Clean(model.Model, 60) + quote : WithoutModel;

    private static string Assumption(ModelEstimate model)
    {
        string price = model.Price is { } known
            ? FormattableString.Invariant(
                $"${known.Input * 1_000_000:0.####} input and ${known.Output * 1_000_000:0.####} output per million tokens")
            : "price unknown";
        string source = model.LearntFrom > 0
            ? FormattableString.Invariant($"measured on {model.LearntFrom:N0} earlier responses")
            : "no data yet: process some rows with --limit 50, then estimate again";
        string name = NameOf(model, quote: "");
        if (model.Vocabulary is not null)
        {
            string counted = model.Counted == model.Requests
                ? "prompts"
                : FormattableString.Invariant($"{model.Counted:N0} of the prompts");
            return FormattableString.Invariant(
                $"{name}: {counted} counted with {model.Vocabulary}, {model.TokensPerAnswer:0} tokens per response ({source}); {price}");
        }

        return FormattableString.Invariant(
            $"{name}: {model.BytesPerToken:0.0} bytes per token, {model.TokensPerAnswer:0} tokens per response ({source}); {price}");
    }

    private static string Range(JobPlan estimate, Func<ModelEstimate, (long Low, long Likely, long? High)> tokens)
    {
        long? high = 0;
        (long low, long likely) = (0, 0);
        foreach ((long Low, long Likely, long? High) model in estimate.Models.Select(tokens))
        {
            low += model.Low;
            likely += model.Likely;
            high += model.High; // null if one of them is unlimited
        }

        string most = high is { } known ? known.ToString("N0", CultureInfo.InvariantCulture) : "unlimited";
        return FormattableString.Invariant($"{likely:N0} ({low:N0} to {most})");
    }
}
