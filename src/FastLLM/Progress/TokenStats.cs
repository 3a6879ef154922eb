namespace FastLLM;

/// <summary>Represents the progress of a run or of a manager: a snapshot in which all numbers belong to the same moment.</summary>
/// <remarks>An answer counts once, however many requests share it; answers from the cache took no tokens now and count in none of the token
/// figures.</remarks>
public sealed record TokenStats
{
    /// <summary>Gets how many requests there are; <see langword="null"/> for a stream, whose end is not known.</summary>
    public long? RequestsTotal { get; init; }

    /// <summary>Gets the requests that have an outcome, including failures, but not those that were given up because the run
    /// ended.</summary>
    public long RequestsCompleted { get; init; }

    /// <summary>Gets the requests that failed.</summary>
    public long Failed { get; init; }

    /// <summary>Gets the requests answered from the cache.</summary>
    public long CacheHits { get; init; }

    /// <summary>Gets the requests that shared an equal request's answer.</summary>
    public long Shared { get; init; }

    /// <summary>Gets the attempts that were sent and have ended. An attempt counts together with its tokens and its cost; until then, it is
    /// <see cref="InFlight"/>.</summary>
    public long Sent { get; init; }

    /// <summary>Gets the attempts that were sent because an earlier one of the same request had failed.</summary>
    public long Retried { get; init; }

    /// <summary>Gets the attempts that were sent to correct an answer that did not pass its check (<see cref="AnswerCheck"/>).</summary>
    public long Corrected { get; init; }

    /// <summary>Gets the attempts that the provider throttled (429, 503, 529).</summary>
    public long Throttled { get; init; }

    /// <summary>Gets the failed attempts whose request had gone out whole, so that the provider may bill them.</summary>
    public long MaybeBilled { get; init; }

    /// <summary>Gets the requests in flight at this moment.</summary>
    public int InFlight { get; init; }

    /// <summary>Gets how many may be in flight at this moment, over all models; with
    /// <see cref="RequestManagerOptions.AdaptiveConcurrency"/> the learned number; 0 if unknown.</summary>
    public int ConcurrencyLimit { get; init; }

    /// <summary>Gets how many may ever be in flight: <see cref="RequestManagerOptions.Concurrency"/>. More than
    /// <see cref="ConcurrencyLimit"/> while the number is being learned; 0 if unknown.</summary>
    public int ConcurrencyCeiling { get; init; }

    /// <summary>Gets the limits that the provider's refusals have shown, for each model that has any. What is configured
    /// (<see cref="RequestManagerOptions.RateLimits"/>) is not among them.</summary>
    public IReadOnlyList<LearnedLimits> LearnedLimits { get; init; } = [];

    /// <summary>Gets the tokens of prompts.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Gets the tokens of answers.</summary>
    public long CompletionTokens { get; init; }

    /// <summary>Gets prompt and completion tokens together.</summary>
    public long TotalTokens { get; init; }

    /// <summary>Gets the prompt tokens that providers read from their own prompt caches.</summary>
    public long CachedTokens { get; init; }

    /// <summary>Gets the answer tokens spent on reasoning.</summary>
    public long ReasoningTokens { get; init; }

    /// <summary>Gets what the answers cost, in US dollars, as far as prices are known (<see cref="RequestManagerOptions.Prices"/>, or the
    /// provider's own); under a <see cref="RequestManagerOptions.Budget"/> with what failed sends of unknown outcome stay charged
    /// with.</summary>
    public decimal Cost { get; init; }

    /// <summary>Gets the number of paid answers whose price is unknown. <see cref="Cost"/> does not include them.</summary>
    public long Unpriced { get; init; }

    /// <summary>Gets when it began.</summary>
    public DateTimeOffset StartTime { get; init; }

    /// <summary>Gets the time since then, on a monotonic clock.</summary>
    public TimeSpan ElapsedTime { get; init; }

    /// <summary>Gets the configured tokens per minute.</summary>
    public long? TokenLimit { get; init; }

    /// <summary>Gets the configured requests per minute.</summary>
    public long? RequestLimit { get; init; }

    /// <summary>Gets what limits the speed now.</summary>
    public Bottleneck LimitedBy { get; init; }

    /// <summary>Gets the share of time per bottleneck, 0 to 1; together 1. Empty if no time has passed.</summary>
    public IReadOnlyDictionary<Bottleneck, double> LimitedByShares { get; init; } = new Dictionary<Bottleneck, double>();

    /// <summary>Gets prompt tokens a second, over the whole time.</summary>
    public double PromptTokensPerSecond => PerSecond(PromptTokens);

    /// <summary>Gets completion tokens a second, over the whole time.</summary>
    public double CompletionTokensPerSecond => PerSecond(CompletionTokens);

    /// <summary>Gets requests completed a second, over the whole time.</summary>
    public double RequestsPerSecond => PerSecond(RequestsCompleted);

    /// <summary>Gets the share of completed requests that the cache answered, 0 to 1.</summary>
    public double CacheHitRatio => RequestsCompleted == 0 ? 0 : (double)CacheHits / RequestsCompleted;

    /// <summary>Gets the share of the concurrency that is in use at this moment, 0 to 1.</summary>
    public double Saturation => ConcurrencyLimit == 0 ? 0 : Math.Min(1.0, (double)InFlight / ConcurrencyLimit);

    /// <summary>Gets the share of the token limit that is used up, 0 to 1 and beyond; 0 where no limit is known.</summary>
    public double TokenSaturation => TokenLimit is > 0 and var limit ? PerSecond(TotalTokens) * 60 / limit : 0;

    /// <summary>Gets the share of the request limit that is used up, 0 to 1 and beyond; 0 where no limit is known.</summary>
    public double RequestSaturation => RequestLimit is > 0 and var limit ? PerSecond(Sent) * 60 / limit : 0;

    /// <summary>Gets a value indicating whether all requests wait for the provider, so that no end can be estimated. One may be a
    /// probe.</summary>
    internal bool IsWaiting => LimitedBy == Bottleneck.BackOff && InFlight <= 1;

    /// <summary>Returns the sums of two parts of a run, of which this is the second; what is of the moment is that of the second.</summary>
    internal TokenStats After(TokenStats first) => this with
    {
        RequestsTotal = first.RequestsCompleted + RequestsTotal,
        RequestsCompleted = first.RequestsCompleted + RequestsCompleted,
        Failed = first.Failed + Failed,
        CacheHits = first.CacheHits + CacheHits,
        Shared = first.Shared + Shared,
        Sent = first.Sent + Sent,
        Retried = first.Retried + Retried,
        Corrected = first.Corrected + Corrected,
        Throttled = first.Throttled + Throttled,
        MaybeBilled = first.MaybeBilled + MaybeBilled,
        PromptTokens = first.PromptTokens + PromptTokens,
        CompletionTokens = first.CompletionTokens + CompletionTokens,
        TotalTokens = first.TotalTokens + TotalTokens,
        CachedTokens = first.CachedTokens + CachedTokens,
        ReasoningTokens = first.ReasoningTokens + ReasoningTokens,
        Cost = first.Cost + Cost,
        Unpriced = first.Unpriced + Unpriced,
        StartTime = first.StartTime,
        ElapsedTime = first.ElapsedTime + ElapsedTime,
    };

    private double PerSecond(double count) => ElapsedTime <= TimeSpan.Zero ? 0 : count / ElapsedTime.TotalSeconds;
}
