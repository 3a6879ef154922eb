using FastLLM.Costs;
using FastLLM.RateLimiting;
using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Represents what a send took and how it ended, as far as its lease cares. The default is that of a request that was not
/// sent.</summary>
internal readonly record struct SendResult
{
    /// <summary>The result of a request that was not sent after all.</summary>
    public static readonly SendResult NotSent = new() { IsFree = true };

    /// <summary>Gets how the send ended for the limiter.</summary>
    public LeaseEnd End { get; init; }

    /// <summary>Gets the tokens it used, if known.</summary>
    public Usage? Usage { get; init; }

    /// <summary>Gets how long the provider asks to wait.</summary>
    public TimeSpan Wait { get; init; }

    /// <summary>Gets a value indicating whether it failed as sends do when a provider is down.</summary>
    public bool MeetsOutage { get; init; }

    /// <summary>Gets a value indicating whether it costs nothing for certain.</summary>
    public bool IsFree { get; init; }

    /// <summary>Gets what it cost, if known.</summary>
    public decimal? Cost { get; init; }

    /// <summary>Creates the result of an answered send.</summary>
    public static SendResult Answered(Usage? usage, decimal? cost) => new() { End = LeaseEnd.Answered, Usage = usage, Cost = cost };

    /// <summary>Creates the result of a failed send.</summary>
    public static SendResult Failed(LlmException failure, TimeSpan wait) => new()
    {
        End = EndOf(failure.Kind),
        Wait = wait,
        MeetsOutage = FailureTable.IsOutage(failure.Kind),
        IsFree = CostMeter.IsFree(failure),
    };

    /// <summary>Returns how a send that failed ended for the limiter.</summary>
    public static LeaseEnd EndOf(FailureKind kind) => kind switch
    {
        FailureKind.RateLimited => LeaseEnd.Throttled,
        FailureKind.Overloaded => LeaseEnd.Overloaded,
        FailureKind.ConnectionRefused or FailureKind.NameNotResolved or FailureKind.Certificate => LeaseEnd.NotUsed,
        FailureKind.ServerError or FailureKind.ServerConflict or FailureKind.Timeout or FailureKind.ConnectionLost
            or FailureKind.IncompleteResponse or FailureKind.InvalidResponse => LeaseEnd.Failed,
        _ => LeaseEnd.Answered,
    };
}
