using System.Globalization;
using System.Text.Json;
using FastLLM.ClusterTests.Jobs;
using FastLLM.Simulator;

namespace FastLLM.ClusterTests.Budgets;

/// <summary>Jobs with a budget, and what the provider would bill for them.</summary>
/// <remarks>Only output costs, so that an answer of full length costs its worst case.</remarks>
internal static class BudgetJobs
{
    private const decimal PerToken = 0.0001m;
    private const int MaxTokens = 16;

    /// <summary>The most that a request may cost.</summary>
    public const decimal WorstCase = MaxTokens * PerToken;

    /// <summary>Submits a job of so many different rows.</summary>
    /// <returns>Its id.</returns>
    public static async Task<string> SubmitAsync(
        JobCluster cluster, SimulatorServer simulator, int rows, decimal budget, int concurrency, string model = "m")
    {
        cluster.Tool.Write("prices.json", string.Create(
            CultureInfo.InvariantCulture, $$$"""{"{{{model}}}":{"input_cost_per_token":0,"output_cost_per_token":{{{PerToken}}},"mode":"chat"}}"""));
        string input = cluster.Tool.Write($"rows-{model}.jsonl", Enumerable.Range(0, rows).Select(i => string.Create(
            CultureInfo.InvariantCulture,
            $$$"""{"custom_id":"{{{i}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"{{{model}}}","max_tokens":{{{MaxTokens}}},"messages":[{"role":"user","content":"Question {{{i}}} {{{new string('x', i % 60)}}}"}]}}""")));
        return await cluster.SubmitAsync(
            input, simulator.ApiBase, "--prices", "prices.json", "--max-cost", budget.ToString(CultureInfo.InvariantCulture),
            "--concurrency", concurrency.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Returns the price of all requests that arrived whole, also of clients that were killed.</summary>
    public static decimal Bill(SimulatorServer simulator, string model = "m") => PerToken * simulator.Requests.Sum(request =>
    {
        using JsonDocument body = JsonDocument.Parse(request.Body), answer = JsonDocument.Parse(SimulatorAnswers.PlainChatCompletion(request.Body.Span));
        return body.RootElement.GetProperty("model").GetString() == model
            ? answer.RootElement.GetProperty("usage").GetProperty("completion_tokens").GetInt32()
            : 0;
    });
}
