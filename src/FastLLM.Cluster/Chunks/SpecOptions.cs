using System.Text;

namespace FastLLM.Cluster.Chunks;

/// <summary>Turns the options of a manager into those of a job, and back.</summary>
internal static class SpecOptions
{
    /// <summary>Describes options.</summary>
    public static SendingSpec ToSpec(this RequestManagerOptions options) => new()
    {
        Concurrency = options.Concurrency,
        AdaptiveConcurrency = options.AdaptiveConcurrency,
        RequestsPerMinute = options.RateLimits?.RequestsPerMinute,
        TokensPerMinute = options.RateLimits?.TokensPerMinute,
        InputTokensPerMinute = options.RateLimits?.InputTokensPerMinute,
        OutputTokensPerMinute = options.RateLimits?.OutputTokensPerMinute,
        RequestsPerDay = options.RateLimits?.RequestsPerDay,
        Timeout = options.Timeout.TotalSeconds,
        FirstByteTimeout = options.FirstByteTimeout?.TotalSeconds,
        IdleTimeout = options.IdleTimeout?.TotalSeconds,
        TotalTimeout = options.TotalTimeout?.TotalSeconds,
        MaxThrottleWait = options.MaxThrottleWait.TotalSeconds,
        Streams = options.StreamMode == StreamMode.Auto,
        RetryAttempts = options.RetryAttempts,
        MaxErrors = options.MaxErrors,
        MaxErrorShare = options.MaxErrorShare,
        Budget = options.Budget,
        RefreshFinishReasons = [.. options.RefreshFinishReasons],
    };

    /// <summary>Creates the options of a worker's manager. Cache and budget are the cluster's.</summary>
    public static RequestManagerOptions ToOptions(this JobSpec spec, TimeProvider time)
    {
        SendingSpec sending = spec.Sending;
        var options = new RequestManagerOptions
        {
            Concurrency = sending.Concurrency,
            AdaptiveConcurrency = sending.AdaptiveConcurrency,
            Timeout = TimeSpan.FromSeconds(sending.Timeout),
            FirstByteTimeout = Seconds(sending.FirstByteTimeout),
            IdleTimeout = Seconds(sending.IdleTimeout),
            TotalTimeout = Seconds(sending.TotalTimeout),
            MaxThrottleWait = TimeSpan.FromSeconds(sending.MaxThrottleWait),
            RetryAttempts = sending.RetryAttempts,
            MaxErrors = sending.MaxErrors,
            MaxErrorShare = sending.MaxErrorShare,
            RefreshFinishReasons = sending.RefreshFinishReasons,
            RateLimits = LimitsOf(sending),
            Prices = PricesOf(spec),
            ShowProgress = false,
            TimeProvider = time,
        };
        if (sending.Streams)
        {
            options.StreamMode = StreamMode.Auto;
        }

        return options;
    }

    private static RateLimits? LimitsOf(SendingSpec sending)
    {
        var limits = new RateLimits
        {
            RequestsPerMinute = sending.RequestsPerMinute,
            TokensPerMinute = sending.TokensPerMinute,
            InputTokensPerMinute = sending.InputTokensPerMinute,
            OutputTokensPerMinute = sending.OutputTokensPerMinute,
            RequestsPerDay = sending.RequestsPerDay,
        };
        return limits.IsConfigured ? limits : null;
    }

    private static PriceTable PricesOf(JobSpec spec)
    {
        if (spec.Prices is null)
        {
            return PriceTable.BuiltIn;
        }

        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(spec.Prices));
        return PriceTable.Read(stream).Over(PriceTable.BuiltIn);
    }

    private static TimeSpan? Seconds(double? seconds) => seconds is { } value ? TimeSpan.FromSeconds(value) : null;
}
