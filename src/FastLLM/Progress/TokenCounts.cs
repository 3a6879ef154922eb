namespace FastLLM.Progress;

/// <summary>What is counted: as a sum so far, or as what one event adds to it.</summary>
internal struct TokenCounts
{
    // Many fields because each is a count of its own.
    public long Completed, Failed, CacheHits, Shared, Sent, Retried, Corrected, Throttled, MaybeBilled, Unpriced;
    public long Prompt, Completion, Total, Cached, Reasoning;
    public decimal Cost;

    public void Add(in TokenCounts more)
    {
        Completed += more.Completed;
        Failed += more.Failed;
        CacheHits += more.CacheHits;
        Shared += more.Shared;
        Sent += more.Sent;
        Retried += more.Retried;
        Corrected += more.Corrected;
        Throttled += more.Throttled;
        MaybeBilled += more.MaybeBilled;
        Unpriced += more.Unpriced;
        Prompt += more.Prompt;
        Completion += more.Completion;
        Total += more.Total;
        Cached += more.Cached;
        Reasoning += more.Reasoning;
        if (more.Cost != 0)
        {
            Cost += more.Cost;
        }
    }

    public void AddTokens(Usage? usage)
    {
        if (usage is not null)
        {
            Prompt += usage.PromptTokens;
            Completion += usage.CompletionTokens;
            Total += usage.TotalTokens;
            Cached += usage.CachedTokens;
            Reasoning += usage.ReasoningTokens;
        }
    }

    public readonly TokenStats ToStats(long? total, DateTimeOffset start, TimeSpan elapsed) => new()
    {
        RequestsTotal = total,
        RequestsCompleted = Completed,
        Failed = Failed,
        CacheHits = CacheHits,
        Shared = Shared,
        Sent = Sent,
        Retried = Retried,
        Corrected = Corrected,
        Throttled = Throttled,
        MaybeBilled = MaybeBilled,
        PromptTokens = Prompt,
        CompletionTokens = Completion,
        TotalTokens = Total,
        CachedTokens = Cached,
        ReasoningTokens = Reasoning,
        Cost = Cost,
        Unpriced = Unpriced,
        StartTime = start,
        ElapsedTime = elapsed,
    };
}
