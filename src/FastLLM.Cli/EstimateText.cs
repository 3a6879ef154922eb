using System.Globalization;

namespace FastLLM.Cli;

/// <summary>What a run would send and cost, in lines for a person.</summary>
internal static class EstimateText
{
    private const int MaxModels = 10;
    private const int MaxOfBody = 4_000;

    /// <summary>Writes it.</summary>
    public static void Write(TextWriter writer, JobPlan estimate)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(estimate);
        CultureInfo culture = CultureInfo.InvariantCulture;
        void Line(FormattableString text) => writer.WriteLine(text.ToString(culture));

        string invalid = estimate.Invalid > 0 ? string.Create(culture, $" · {estimate.Invalid:N0} wrong lines") : "";
        Line($"rows    {estimate.Rows:N0} · {estimate.Distinct:N0} different · {estimate.Kept:N0} stand in the output · {estimate.Cached:N0} more in the cache · {estimate.ToSend:N0} to send{invalid}");
        Line($"tokens  prompts {Range(Sum(estimate, m => m.PromptTokens.Low), Sum(estimate, m => m.PromptTokens.Likely), Sum(estimate, m => m.PromptTokens.High))}");
        long? most = estimate.Models.Any(model => model.CompletionTokens.High is null) ? null : Sum(estimate, m => m.CompletionTokens.High!.Value);
        Line($"        answers {Range(Sum(estimate, m => m.CompletionTokens.Low), Sum(estimate, m => m.CompletionTokens.Likely), most)}");
        Line($"cost    {Cost(estimate)}");
        if (estimate.Spent > 0)
        {
            Line($"        {CostText.Dollars(estimate.Spent)} were spent on this output until now");
        }

        foreach (ModelEstimate model in estimate.Models.Take(MaxModels))
        {
            Line($"assumed {Assumption(model)}");
        }

        if (estimate.Models.Count > 0)
        {
            Line($"        no request is sent twice, nothing is read from the provider's own cache, and a price holds for prompts of any length");
        }

        if (estimate.FirstBody is { } body)
        {
            string more = body.Length > MaxOfBody ? string.Create(culture, $" … ({body.Length - MaxOfBody:N0} more characters)") : "";
            Line($"first   POST {TerminalText.Clean(estimate.FirstEndpoint!)} {TerminalText.Clean(body[..Math.Min(body.Length, MaxOfBody)])}{more}");
        }

        writer.WriteLine("Nothing was sent.");
    }

    /// <summary><c>$0.12 (0.08 to 0.31)</c>, or why it is not known.</summary>
    public static string Cost(JobPlan estimate)
    {
        if (estimate.LikelyCost is not { } likely)
        {
            IEnumerable<string> unknown = estimate.Models.Where(model => model.Price is null).Select(model => $"\"{TerminalText.Clean(model.Model, 60)}\"");
            return $"not known: no price for {string.Join(", ", unknown.Take(MaxModels))}; give it with --prices FILE";
        }

        string high = estimate.HighCost is { } most ? CostText.Dollars(most) : "no bound, since nothing limits the answers";
        return $"{CostText.Dollars(likely)} ({CostText.Dollars(estimate.LowCost!.Value)} to {high})";
    }

    private static string Assumption(ModelEstimate model)
    {
        string price = model.Price is { } known
            ? string.Create(CultureInfo.InvariantCulture, $"; ${known.Input * 1_000_000:0.####} and ${known.Output * 1_000_000:0.####} for a million tokens in and out")
            : "; price not known";
        string source = model.LearntFrom > 0
            ? string.Create(CultureInfo.InvariantCulture, $"learned from {model.LearntFrom:N0} earlier answers")
            : "nothing is known yet: run a few rows (--limit 50), and ask again";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{TerminalText.Clean(model.Model, 60)}: {model.BytesPerToken:0.0} bytes of text a token, {model.TokensPerAnswer:0} tokens an answer ({source}){price}");
    }

    private static long Sum(JobPlan estimate, Func<ModelEstimate, long> number) => estimate.Models.Sum(number);

    private static string Range(long low, long likely, long? high)
    {
        string most = high is { } known ? known.ToString("N0", CultureInfo.InvariantCulture) : "no bound";
        return string.Create(CultureInfo.InvariantCulture, $"{likely:N0} ({low:N0} to {most})");
    }
}
