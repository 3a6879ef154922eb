using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Represents how a request ended: with a response or a failure. The default is that of a request under way.</summary>
internal struct Outcome<TResponse>
{
    public TResponse? Response;
    public Usage? Usage;
    public LlmException? Failure;

    /// <summary>Whether the response came from the cache.</summary>
    public bool IsCacheHit;

    /// <summary>Whether an equal row of the run had this outcome before.</summary>
    public bool IsShared;

    /// <summary>Whether the request has ended.</summary>
    public bool IsDecided;

    /// <summary>Whether others may share the failure; <see langword="null"/> if that is not in question.</summary>
    public Suspicion? Suspicion;

    /// <summary>Why no run that awaits the outcome can continue.</summary>
    public LlmException? StopCause;

    /// <summary>Gets a value indicating whether there is a response that no cache and no row had before.</summary>
    public readonly bool IsNewResponse => IsDecided && Failure is null && !IsCacheHit && !IsShared;

    public static Outcome<TResponse> Answered(TResponse response, Usage? usage) =>
        new() { Response = response, Usage = usage, IsDecided = true };

    public static Outcome<TResponse> Failed(LlmException failure, Suspicion? suspicion = null) =>
        new() { Failure = failure, Suspicion = suspicion, IsDecided = true };

    /// <summary>Creates the outcome of a request whose failure ends every run that awaits it.</summary>
    public static Outcome<TResponse> Stopped(LlmException failure)
    {
        failure = failure.WithScope(FailureScope.Run);
        return new() { Failure = failure, StopCause = failure, IsDecided = true };
    }

    public static Outcome<TResponse> Cached(TResponse response, Usage? usage) =>
        new() { Response = response, Usage = usage, IsCacheHit = true, IsDecided = true };

    /// <summary>Creates the outcome that an equal row had.</summary>
    public static Outcome<TResponse> Shared(ResponseWrapper<TResponse> earlier) => earlier.Error is { } failure
        ? new() { Failure = failure, Suspicion = failure.Suspicion, IsShared = true, IsDecided = true }
        : new() { Response = earlier.Response, Usage = earlier.Usage, IsShared = true, IsDecided = true };

    /// <summary>Creates the outcome that the record of an equal row holds.</summary>
    public static Outcome<TResponse> Shared(TResponse response) => new() { Response = response, IsShared = true, IsDecided = true };

    /// <summary>Creates the failure of a request that is not sent because its run ended. Its last failure is no outcome: it might have been
    /// retried.</summary>
    public static LlmException NotSent(LlmException? lastFailure = null) => lastFailure is null
        ? new LlmException(FailureKind.NotSent, "Not sent: the run ended first.")
        : new LlmException(
            FailureKind.NotSent, $"Not sent again: the run ended first. The last send failed: {lastFailure.Message}", lastFailure);
}
