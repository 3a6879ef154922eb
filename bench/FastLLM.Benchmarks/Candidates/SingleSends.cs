namespace FastLLM.Benchmarks.Candidates;

/// <summary>FastLLM as in <see cref="Engine"/>, but each request is a call of its own, in the loop that users of a client write.</summary>
internal sealed class SingleSends : ICandidate
{
    public string Name => "FastLLM, SendAsync";

    public Func<Task<int>> Prepare(string apiBase, Workload workload, int inFlight) => async () =>
    {
        await using var cache = new InMemoryCache();
        await using RequestManager manager = Engine.Manager(apiBase, inFlight, cache);
        RequestBatch batch = Engine.Build(workload);
        var outcomes = new ResponseWrapper<LlmResponse>[batch.Count];
        await Parallel.ForAsync(0, batch.Count, new ParallelOptions { MaxDegreeOfParallelism = inFlight }, async (i, cancellationToken) =>
            outcomes[i] = await manager.SendAsync(batch[i], cancellationToken));
        return Engine.CountAnswers(outcomes);
    };
}
