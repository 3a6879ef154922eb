namespace FastLLM.Retries;

/// <summary>Represents what was known of the provider when a send failed.</summary>
/// <param name="WasDown">Whether the provider was down.</param>
/// <param name="WasProbe">Whether the send probed whether it is up again.</param>
/// <param name="IsNoise">Whether it refuses at random, and for no other reason that is known.</param>
/// <param name="RetryAfter">How long the response asks to wait, if it does.</param>
internal readonly record struct SendCircumstances(bool WasDown, bool WasProbe, bool IsNoise, TimeSpan? RetryAfter)
{
    /// <summary>Gets a value indicating whether the run has other requests.</summary>
    public bool HasOthers { get; init; }

    /// <summary>Gets for how long all requests that are left of the run have failed, and none was answered; <see langword="null"/> if that
    /// is not so, or nothing was answered before.</summary>
    public TimeSpan? AloneFor { get; init; }

    /// <summary>Gets how many requests of the run are left.</summary>
    public int Left { get; init; }

    /// <summary>Gets how many requests of the run were answered by the provider.</summary>
    public long Answered { get; init; }

    /// <summary>Gets a value indicating whether sends of the same model were answered that began after the request had failed: then it was
    /// no outage.</summary>
    public bool AreLaterAnswered { get; init; }

    /// <summary>Gets a value indicating whether sends of the same model were answered that began when the failure was known. Those that were
    /// under way may have come before an outage.</summary>
    public bool AreNewAnswered { get; init; }

    /// <summary>Gets a value indicating whether the request is waiting as long as the provider has asked.</summary>
    public bool WaitsAsAsked { get; init; }
}
