namespace FastLLM.Diagnostics;

/// <summary>Represents what a manager does at a moment, for gauges.</summary>
/// <param name="InFlight">Sends in flight.</param>
/// <param name="Limit">How many may be in flight.</param>
/// <param name="WaitingForLimits">Requests that wait for a slot, a limit or the provider.</param>
/// <param name="BackingOff">Requests that wait before they are sent again.</param>
/// <param name="Bottleneck">What limits the speed.</param>
/// <param name="Learned">The limits that refusals have shown, if any.</param>
internal readonly record struct ManagerState(
    int InFlight, int Limit, int WaitingForLimits, int BackingOff, Bottleneck Bottleneck, IReadOnlyList<LearnedLimits>? Learned);
