namespace FastLLM.Cluster.Limits;

/// <summary>Represents what is known of the limits of one model at one endpoint: all that <see cref="LimitAllocator"/> decides
/// by.</summary>
/// <remarks>Times are seconds on the clock of the database.</remarks>
internal sealed record LimitState
{
    /// <summary>Gets the time of the last decision: the clock of the allocator never goes back.</summary>
    public double Now { get; init; }

    /// <summary>Gets the requests of the day that processes which are forgotten by now have used.</summary>
    public double UsedOfDay { get; init; }

    /// <summary>Gets when the day began; <see langword="null"/> before its first request.</summary>
    public double? DayStart { get; init; }

    /// <summary>Gets the member that learns limits for all.</summary>
    public string? Leader { get; init; }

    /// <summary>Gets when the leader last had more to send than it may; only then it can learn.</summary>
    public double LeaderBusyAt { get; init; }

    /// <summary>Gets what was learned.</summary>
    public LearnedLaw? Law { get; init; }
}

/// <summary>Represents what was learned of the limits of all members together.</summary>
/// <param name="InFlight">The most in flight.</param>
/// <param name="PerSecond">The sends a second.</param>
/// <param name="RandomShare">The share of sends that is refused at random.</param>
internal sealed record LearnedLaw(double? InFlight, double? PerSecond, double RandomShare);

/// <summary>Represents a process that shares the limits of one model.</summary>
/// <param name="Id">Its name, which no other process has ever had.</param>
/// <param name="At">When it last reported.</param>
/// <param name="Reported">When its last report was made, on its own clock.</param>
/// <param name="Until">Until when it may use what it was granted.</param>
/// <param name="Permits">What it has sent and may send, for each limit.</param>
/// <param name="Requests">The requests it has reported since it began.</param>
/// <param name="Wants">The sends a second that it wants.</param>
/// <param name="Share">Its share of what was learned.</param>
/// <param name="Accepted">The sends a second that were not refused lately.</param>
/// <param name="Sending">The sends in flight.</param>
internal sealed record Member(
    string Id, double At, double Reported, double Until, MemberPermits?[] Permits, long Requests, double Wants, double Share,
    double Accepted, int Sending)
{
    /// <summary>Gets the permits for a limit; <see langword="null"/> if the member states no such limit, or no limits at all.</summary>
    public MemberPermits? PermitsOf(int limit) => limit < Permits.Length ? Permits[limit] : null;
}

/// <summary>Represents what a member has sent of one limit, and may send.</summary>
/// <param name="Sent">What it has sent, by its age at the last report.</param>
/// <param name="Held">What it may send, and what it was about to send.</param>
/// <param name="Credit">What it is owed: its share that was not granted yet.</param>
/// <param name="Wants">The amount a second that it wants.</param>
/// <param name="Limit">The limit a minute that it states.</param>
internal sealed record MemberPermits(double[] Sent, double Held, double Credit, double Wants, double Limit);
