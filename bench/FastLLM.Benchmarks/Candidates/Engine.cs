using FastLLM.Benchmarks.Load;

namespace FastLLM.Benchmarks.Candidates;

/// <summary>FastLLM with everything on: cache in memory, sharing, limits, retries, statistics, typed outcomes. Only the progress bar is off.</summary>
/// <param name="prebuilt">The batch is built before the clock starts.</param>
/// <param name="onDisk">The cache is an empty one on disk instead: every answer is flushed before it is seen.</param>
/// <param name="readText">Every answer's text is read as well; the engine itself leaves it in the body until asked.</param>
internal sealed class Engine(bool prebuilt = false, bool readText = false, bool onDisk = false) : ICandidate
{
    public string Name => "FastLLM" + (prebuilt ? ", batch prebuilt" : "") + (readText ? ", texts read" : "") + (onDisk ? " with a cold DiskCache" : "");

    public Func<Task<int>> Prepare(string apiBase, Workload workload, int inFlight)
    {
        RequestBatch? batch = prebuilt ? Build(workload) : null;
        return async () =>
        {
            using TemporaryFolder? folder = onDisk ? new TemporaryFolder() : null;
            await using CacheProvider cache = folder is null ? new InMemoryCache() : new DiskCache(folder.PathOf("cache"));
            await using RequestManager manager = Manager(apiBase, inFlight, cache);
            IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await manager.ProcessBatchAsync(batch ?? Build(workload));
            return readText ? CountTexts(outcomes) : CountAnswers(outcomes);
        };
    }

    public static RequestManager Manager(string apiBase, int inFlight, CacheProvider cache) => new(
        new OpenAIProvider("no-key-needed", apiBase),
        new RequestManagerOptions { Concurrency = inFlight, Cache = cache, ShowProgress = false });

    public static RequestBatch Build(Workload workload)
    {
        var batch = new RequestBatch();
        for (int i = 0; i < workload.Count; i++)
        {
            batch.Chat.Completions.Create(
                model: Workload.Model,
                messages: [Message.System(Workload.Instruction), Message.User(workload[i])],
                temperature: Workload.Temperature,
                maxCompletionTokens: Workload.MaxCompletionTokens);
        }

        return batch;
    }

    public static int CountAnswers(IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes)
    {
        int answers = 0;
        foreach (ResponseWrapper<LlmResponse> outcome in outcomes)
        {
            answers += outcome is { IsSuccess: true, Response: ChatCompletion { RawBody.Length: > 0 } } ? 1 : 0;
        }

        return answers;
    }

    private static int CountTexts(IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes)
    {
        var texts = new string?[outcomes.Count];
        for (int i = 0; i < texts.Length; i++)
        {
            texts[i] = (outcomes[i].Response as ChatCompletion)?.Text;
        }

        return texts.Count(text => text is { Length: > 0 });
    }
}
