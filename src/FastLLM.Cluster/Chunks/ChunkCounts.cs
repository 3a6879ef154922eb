namespace FastLLM.Cluster.Chunks;

/// <summary>Represents what the outcomes of rows add up to.</summary>
internal readonly record struct ChunkCounts(
    long Answered, long Failed, long Cached, long Shared, long Sends, long PromptTokens, long CompletionTokens, decimal Cost)
{
    /// <summary>Adds the outcome of one row.</summary>
    public ChunkCounts With(ResponseWrapper outcome)
    {
        // The tokens of an answer count once, for the row that was sent.
        Usage? usage = outcome.IsSuccess && outcome.Attempts > 0 ? outcome.Usage : null;
        return this with
        {
            Answered = Answered + (outcome.IsSuccess ? 1 : 0),
            Failed = Failed + (outcome.IsSuccess ? 0 : 1),
            Cached = Cached + (outcome.IsCacheHit ? 1 : 0),
            Shared = Shared + (outcome.IsShared ? 1 : 0),
            Sends = Sends + outcome.Attempts,
            PromptTokens = PromptTokens + (usage?.PromptTokens ?? 0),
            CompletionTokens = CompletionTokens + (usage?.CompletionTokens ?? 0),
            Cost = Cost + (outcome.Cost ?? 0),
        };
    }

    /// <summary>Adds rows that failed without being sent.</summary>
    public ChunkCounts WithFailed(long rows) => this with { Failed = Failed + rows };
}
