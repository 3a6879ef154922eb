using FastLLM.RateLimiting;

namespace FastLLM.Cluster.Limits;

/// <summary>Decides who learns limits for all, and divides what was learned by what is wanted. A pure function, as <see
/// cref="LimitAllocator"/>.</summary>
internal static class SharedLearning
{
    // A leader that has nothing to send for so long learns nothing.
    private const double LeaderMayRest = 3;

    // Even a cut that tries whether less is refused at all is no deeper than three quarters, of a rate that may be measured too low by an
    // eighth while what all accept is still too high by as much: after a limit that was halved, for example.
    private const double FarOff = 0.55;

    // The sends of the leader are a sample of all, so they should be many.
    private const double LeastOfLeader = 0.5;

    // The leader cannot learn while its share changes: so it changes only if it has to.
    private const double SameShare = 0.1;

    // So much more than its share, and it has seen that there is more.
    private const double Grown = 1.1;

    /// <summary>Gets what is granted where nothing is decided.</summary>
    public static LearnedGrant Nothing { get; } = new(false, 0, false, null, null, null, 0, false, 0);

    /// <summary>Decides about a report.</summary>
    /// <param name="state">What was known.</param>
    /// <param name="others">The other members that are there.</param>
    /// <param name="member">The member that reports.</param>
    /// <param name="report">The report.</param>
    /// <param name="now">The time.</param>
    /// <param name="leaves">Whether the member leaves.</param>
    public static (LimitState State, Member Member, LearnedGrant Grant) Decide(
        LimitState state, IReadOnlyList<Member> others, Member member, LearnedReport report, double now, bool leaves)
    {
        bool isBusy = member.Wants >= Permits.Unlimited;
        bool leads = state.Leader == member.Id;
        var isCorrected = false;
        if (leads && report.Leads && Learned(state, others, member, report) is { } law)
        {
            isCorrected = law.PerSecond != report.PerSecond || law.InFlight != report.InFlight;
            state = state with { Law = law };
        }

        if (leaves)
        {
            leads = false;
            state = state with { Leader = state.Leader == member.Id ? null : state.Leader };
        }
        else if (!leads && (others.All(other => other.Id != state.Leader) || (isBusy && now > state.LeaderBusyAt + LeaderMayRest)))
        {
            state = state with { Leader = member.Id };
            leads = true;
            member = member with { Share = 0 };
        }

        if (leads && isBusy)
        {
            state = state with { LeaderBusyAt = now };
        }

        member = member with { Share = ShareOf(state, others, member, report.IsHolding) };
        return (state, member, new LearnedGrant(
            leads, member.Share, state.Law is not null, InFlightOf(state, others, member), state.Law?.PerSecond * member.Share,
            state.Law?.InFlight, state.Law?.RandomShare ?? 0, isCorrected, LimitAllocator.Validity));
    }

    private static LearnedLaw? Learned(LimitState state, IReadOnlyList<Member> others, Member member, LearnedReport report)
    {
        double accepted = others.Append(member).Sum(static one => one.Accepted) * MorePerSecond.Below;
        if (state.Law is not null)
        {
            if (report is { InFlight: null, PerSecond: null, RandomShare: 0 } && !IsBeyond(state.Law, member))
            {
                return state.Law;
            }

            // What was accepted of all is accepted: a cut far below it was misled by what the others did.
            bool isFarOff = report.PerSecond < state.Law.PerSecond && report.PerSecond < accepted * FarOff;
            return new LearnedLaw(report.InFlight, isFarOff ? accepted : report.PerSecond, report.RandomShare);
        }

        if (report is { InFlight: null, PerSecond: null, RandomShare: 0 })
        {
            return null;
        }

        // Until now, each has learned for itself. What was accepted of all is known; that refusals are noise must be shown by all together.
        return new LearnedLaw(
            report.InFlight is null ? null : others.Append(member).Sum(static one => one.Sending),
            report.PerSecond is { } own ? Math.Max(accepted, own * member.Share) : null,
            0);
    }

    // A leader that had too little to send saw no limit. That shows nothing about the limit of all, unless it sent far more than its share.
    private static bool IsBeyond(LearnedLaw law, Member leader) =>
        (law.PerSecond is null || leader.Accepted > law.PerSecond * leader.Share * Grown)
        && (law.InFlight is null || leader.Sending > law.InFlight * leader.Share * Grown);

    private static double ShareOf(LimitState state, IReadOnlyList<Member> others, Member member, bool isHolding)
    {
        double[] wants = [.. others.Append(member).Select(one => Wants(state, one))];
        double total = state.Law?.PerSecond ?? Permits.Unlimited;
        double[] shares = FairShares.Of(total, wants);

        // What is not wanted is divided, too.
        double rest = (1 - (shares.Sum() / total)) / shares.Length;
        double fair = (shares[^1] / total) + rest;
        if (member.Id == state.Leader)
        {
            // While nothing limits them, all send the same. When it is tried whether less helps, all must send less in proportion to that:
            // so only a limit that is known is divided in another way.
            bool isLimited = (state.Law?.PerSecond ?? state.Law?.InFlight) is not null;
            double share = others.Count == 0 ? 1
                : !isLimited ? fair
                : isHolding || member.Share == 0 ? Math.Max(fair, LeastOfLeader)
                : member.Share;
            return Math.Abs(member.Share - share) <= SameShare * share ? member.Share : share;
        }

        // The others divide what the leader leaves.
        int leader = others.ToList().FindIndex(other => other.Id == state.Leader);
        if (leader < 0)
        {
            return fair;
        }

        double fairOfLeader = (shares[leader] / total) + rest;
        return fair * (1 - others[leader].Share) / Math.Max(1 - fairOfLeader, 1e-9);
    }

    // Whole numbers whose sum is what was learned, unless there are more members than that.
    private static int? InFlightOf(LimitState state, IReadOnlyList<Member> others, Member member)
    {
        double before = others.Where(other => string.CompareOrdinal(other.Id, member.Id) < 0).Sum(static other => other.Share);
        return state.Law?.InFlight is { } most
            ? (int)Math.Max(1, Math.Floor(((before + member.Share) * most) + 1e-6) - Math.Floor((before * most) + 1e-6))
            : null;
    }

    // How many it wants in flight is not known: all that send get the same.
    private static double Wants(LimitState state, Member member) =>
        state.Law?.PerSecond is null && member.Wants > 0 ? Permits.Unlimited : member.Wants;
}
