using FastLLM.Costs;
using FastLLM.RateLimiting;
using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Represents what a send took and how it ended, as far as its lease cares.</summary>
/// <param name="End">How the send ended for the limiter.</param>
/// <param name="Usage">The tokens it used, if known.</param>
/// <param name="Wait">How long the provider asks to wait.</param>
/// <param name="MeetsOutage">Whether it failed as sends do when a provider is down.</param>
/// <param name="IsFree">Whether it costs nothing for certain.</param>
/// <param name="Cost">What it cost, if known.</param>
internal readonly record struct SendResult(LeaseEnd End, Usage? Usage, TimeSpan Wait, bool MeetsOutage, bool IsFree, decimal? Cost)
{
    /// <summary>The result of a request that was not sent after all.</summary>
    public static readonly SendResult NotSent = new(LeaseEnd.NotUsed, null, TimeSpan.Zero, MeetsOutage: false, IsFree: true, null);

    /// <summary>Creates the result of an answered send.</summary>
    public static SendResult Answered(Usage? usage, decimal? cost) =>
        new(LeaseEnd.Answered, usage, TimeSpan.Zero, MeetsOutage: false, IsFree: false, cost);

    /// <summary>Creates the result of a failed send.</summary>
    public static SendResult Failed(LlmException failure, TimeSpan wait, decimal? cost = null) =>
        new(EndOf(failure), null, wait, FailureTable.IsOutage(failure.Kind) && !IsNotSent(failure), CostMeter.IsFree(failure), cost);

    /// <summary>Returns how a send that failed ended for the limiter.</summary>
    public static LeaseEnd EndOf(LlmException failure) => failure.Kind switch
    {
        FailureKind.ConnectionLost when IsNotSent(failure) => LeaseEnd.NotUsed,
        FailureKind.RateLimited => LeaseEnd.Throttled,
        FailureKind.Overloaded => LeaseEnd.Overloaded,
        FailureKind.ConnectionRefused or FailureKind.TooManyOpenFiles or FailureKind.NameNotResolved or FailureKind.Certificate =>
            LeaseEnd.NotUsed,
        FailureKind.ServerError or FailureKind.ServerConflict or FailureKind.Timeout or FailureKind.ConnectionLost
            or FailureKind.IncompleteResponse or FailureKind.InvalidResponse => LeaseEnd.Failed,
        _ => LeaseEnd.Answered,
    };

    // The connection was given up before the request was written, which says nothing about the provider.
    private static bool IsNotSent(LlmException failure) => failure.SendAgainChanged;
}
