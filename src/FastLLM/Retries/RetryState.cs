namespace FastLLM.Retries;

/// <summary>Represents what a request has been through so far, as far as <see cref="RetryPolicy"/> cares.</summary>
internal readonly record struct RetryState
{
    /// <summary>Gets how many sends failed by the request's own account.</summary>
    public int Failures { get; init; }

    /// <summary>Gets how many of those timed out.</summary>
    public int Timeouts { get; init; }

    /// <summary>Gets how many sends were throttled, refused a connection, or failed while the provider was down.</summary>
    public int Waits { get; init; }

    /// <summary>Gets the age of the request at the first of those.</summary>
    public TimeSpan FirstWait { get; init; }

    /// <summary>Gets how many sends probed whether the provider is up again.</summary>
    public int Probes { get; init; }
}
