namespace FastLLM.RateLimiting;

/// <summary>Represents what a process reports about a model whose limits it shares with others.</summary>
/// <param name="Model">The model.</param>
/// <param name="At">When the report was made, in seconds on the clock of the process.</param>
/// <param name="Permits">For requests, tokens, prompt tokens and output tokens; <see langword="null"/> without a limit.</param>
/// <param name="PerDay">The requests a day, if they are limited.</param>
/// <param name="Requests">The requests that were sent since the process began.</param>
/// <param name="Learned">What is known of learned limits.</param>
internal sealed record ModelReport(string Model, double At, PermitReport?[] Permits, long? PerDay, long Requests, LearnedReport Learned);

/// <summary>Represents what a process may send of a model whose limits it shares with others.</summary>
/// <param name="Permits">For requests, tokens, prompt tokens and output tokens; <see langword="null"/> without a limit.</param>
/// <param name="LeftOfDay">The requests that are left of the day; <see langword="null"/> without a limit.</param>
/// <param name="DayEndsIn">The seconds until the next day's requests.</param>
/// <param name="Learned">The share in learned limits.</param>
internal sealed record ModelGrant(PermitGrant?[] Permits, double? LeftOfDay, double DayEndsIn, LearnedGrant Learned);
