using System.Collections.Concurrent;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;

namespace FastLLM.Tests.Jobs;

/// <summary>What tests of the cost of a job have in common: a folder, a model with a price, runs and plans of one output.</summary>
public abstract class PaidJobTest : EngineTest, IDisposable
{
    /// <summary>What a token costs.</summary>
    protected const decimal Price = 0.000001m;

    protected static PriceTable Prices { get; } = PriceTable.Create(new Dictionary<string, ModelPrice> { ["m"] = new() { Input = Price, Output = Price } });

    private readonly TemporaryFolder _folder = new();

    protected string Input => Path.Combine(_folder.Path, "in.jsonl");

    protected string Output => Path.Combine(_folder.Path, "out.jsonl");

    /// <summary>Gets the notices of all runs and plans.</summary>
    protected ConcurrentQueue<string> Notices { get; } = new();

    protected static string Body(int number) =>
        $$"""{"model":"m","messages":[{"role":"user","content":"question {{number}}"}],"max_tokens":100}""";

    protected static string Row(string id, int number) =>
        $$"""{"custom_id":"{{id}}","method":"POST","url":"/v1/chat/completions","body":{{Body(number)}}}""";

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    protected void WriteInput(int rows) => File.WriteAllLines(Input, Enumerable.Range(0, rows).Select(i => Row($"row-{i}", i)));

    protected async Task<JobResult> RunAsync(
        string apiBase, decimal? budget, Action<JobOptions>? change = null, Action<RequestManagerOptions>? sending = null)
    {
        await using RequestManager manager = Manager(apiBase, budget, sending);
        return await Job.RunAsync(manager, Options(change), CancellationToken.None, Ended);
    }

    protected async Task<JobPlan> PlanAsync(string apiBase, decimal? budget, Action<RequestManagerOptions>? sending = null)
    {
        await using RequestManager manager = Manager(apiBase, budget, sending);
        return await Job.PlanAsync(manager, Options(null), Ended);
    }

    protected JobOptions Options(Action<JobOptions>? change)
    {
        var options = new JobOptions { Input = Input, Output = Output, OnNotice = Notices.Enqueue };
        change?.Invoke(options);
        return options;
    }

    protected static RequestManager Manager(string apiBase, decimal? budget, Action<RequestManagerOptions>? sending) =>
        new(new OpenAIProvider("", apiBase), Quick(o =>
        {
            (o.Prices, o.Budget, o.Cache) = (Prices, budget, new InMemoryCache());
            sending?.Invoke(o);
        }));
}
