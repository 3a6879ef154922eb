namespace FastLLM.Retries;

/// <summary>Represents what a request has been through so far, as far as <see cref="RetryPolicy"/> cares.</summary>
/// <param name="Failures">How many sends failed by the request's own account.</param>
/// <param name="Timeouts">How many of those timed out.</param>
/// <param name="Waits">How many sends were throttled, refused a connection, or failed while the provider was down.</param>
/// <param name="FirstWait">The age of the request at the first of those.</param>
/// <param name="Probes">How many sends probed whether the provider is up again.</param>
internal readonly record struct RetryState(int Failures, int Timeouts, int Waits, TimeSpan FirstWait, int Probes)
{
    /// <summary>Gets a value indicating whether the request was sent again after a failure that others may share.</summary>
    public bool IsRepeated { get; init; }
}
