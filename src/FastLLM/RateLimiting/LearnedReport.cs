namespace FastLLM.RateLimiting;

/// <summary>Represents what a process knows of the limits that are learned, and how much it sends.</summary>
/// <param name="Leads">Whether it learns for all, and knows anything.</param>
/// <param name="IsHolding">Whether nothing is being tried.</param>
/// <param name="InFlight">The most in flight, of all together; <see langword="null"/> where no such limit was learned.</param>
/// <param name="PerSecond">The sends a second, of all together; <see langword="null"/> where no such limit was learned.</param>
/// <param name="RandomShare">The share of sends that is refused at random.</param>
/// <param name="Wants">The sends a second that the process wants.</param>
/// <param name="Accepted">Its sends a second that were not refused lately.</param>
/// <param name="Sending">Its sends in flight.</param>
internal sealed record LearnedReport(
    bool Leads, bool IsHolding, double? InFlight, double? PerSecond, double RandomShare, double Wants, double Accepted, int Sending);

/// <summary>Represents the share of a process in the limits that are learned.</summary>
/// <param name="Leads">Whether it learns for all.</param>
/// <param name="Share">Its part of the whole.</param>
/// <param name="IsKnown">Whether any limit was learned yet.</param>
/// <param name="InFlight">Its most in flight; <see langword="null"/> where no such limit was learned.</param>
/// <param name="PerSecond">Its sends a second; <see langword="null"/> where no such limit was learned.</param>
/// <param name="InFlightOfAll">The most in flight, of all together.</param>
/// <param name="RandomShare">The share of sends that is refused at random.</param>
/// <param name="IsCorrected">Whether what the leader has just reported was corrected by what all have reported.</param>
/// <param name="ValidFor">For how many seconds this is known to hold.</param>
internal sealed record LearnedGrant(
    bool Leads, double Share, bool IsKnown, int? InFlight, double? PerSecond, double? InFlightOfAll, double RandomShare, bool IsCorrected,
    double ValidFor);
