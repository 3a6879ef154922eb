using FastLLM.RateLimiting;

namespace FastLLM.Cluster.Limits;

/// <summary>Decides what a process may send of the limits that it shares with others. A pure function: the database only stores what it
/// returns.</summary>
/// <remarks>
/// <para>What all members have sent in the last minute, and what they may still send, is never more than the limit. What a member may send
/// counts until it reports what it did send; if it never does, it counts as sent at the last moment at which that was allowed.</para>
/// <para>Members may state different limits: what a lower one allows is a part of what a higher one allows.</para>
/// <para>A member is granted a second's worth of its share ahead. Shares are fair: see <see cref="FairShares"/>.</para>
/// </remarks>
internal static class LimitAllocator
{
    /// <summary>The seconds between two reports of a member.</summary>
    public const double Interval = 1;

    /// <summary>For how many seconds a grant may be used.</summary>
    public const double Validity = 3;

    // As long as a send counts on one machine: a minute, and some time for the network.
    private const double Minute = 60.8;

    // The pace is a little below the limit, because what is granted counts a second early: then there is always room for the next grant,
    // and shares stay fair.
    private const double Pace = 0.972;

    // A grant may be a little late.
    private const double Ahead = 1.25;
    private const double Day = 86_400;
    private const double LawLasts = 600;

    /// <summary>Decides about a report.</summary>
    /// <param name="state">What was known.</param>
    /// <param name="members">Those who share the limits.</param>
    /// <param name="id">Who reports.</param>
    /// <param name="report">The report.</param>
    /// <param name="now">The time.</param>
    /// <param name="leaves">Whether the member leaves, so that it is granted nothing.</param>
    public static Decision Decide(
        LimitState state, IReadOnlyList<Member> members, string id, ModelReport report, double now, bool leaves = false)
    {
        if (now > state.Now + LawLasts)
        {
            // Nothing was sent for so long that the provider may have other limits by now.
            state = state with { Law = null, Leader = null };
        }

        now = Math.Max(now, state.Now);
        if (leaves)
        {
            PermitReport?[] nothing = [.. report.Permits.Select(static asked => asked is null ? null : asked with { Wants = 0, Need = 0 })];
            report = report with { Permits = nothing };
        }

        Member? before = members.FirstOrDefault(member => member.Id == id);
        if (report.At <= before?.Reported)
        {
            // A later report has come first: this one is no news, and what is granted for it would not be used.
            return new Decision(
                state with { Now = now }, before, [],
                new ModelGrant(new PermitGrant?[report.Permits.Length], null, 0, SharedLearning.Nothing));
        }

        Member[] others = [.. members.Where(member => member.Id != id)];
        string[] forgotten = [.. others.Where(member => member.Until + Minute < now).Select(member => member.Id)];
        if (forgotten.Length > 0)
        {
            state = state with
            {
                UsedOfDay = state.UsedOfDay + others.Where(member => forgotten.Contains(member.Id)).Sum(UsedOfDay),
            };
            others = [.. others.Where(member => !forgotten.Contains(member.Id))];
        }

        state = state with { Now = now };
        if (report.PerDay is not null && !(now < state.DayStart + Day))
        {
            // Requests are counted from the beginning of a process on, so those of earlier days are taken away.
            state = state with { DayStart = now, UsedOfDay = -report.Requests - others.Sum(static member => member.Requests) };
        }

        double leftOfDay = report.PerDay - state.UsedOfDay - report.Requests - others.Sum(UsedOfDay) ?? double.PositiveInfinity;
        var permits = new MemberPermits?[report.Permits.Length];
        var grants = new PermitGrant?[report.Permits.Length];
        Member[] live = [.. others.Where(member => member.Until > now)];
        double passed = before is null ? Interval : Math.Min(now - before.At, Validity);
        for (var i = 0; i < permits.Length; i++)
        {
            if (report.Permits[i] is { } asked)
            {
                int limit = i;
                double room = Room(asked, [.. others.Where(other => other.PermitsOf(limit) is not null)], limit, now);
                (permits[i], grants[i]) = Grant(
                    asked, [.. live.Select(member => member.PermitsOf(limit)).OfType<MemberPermits>()], before?.PermitsOf(i)?.Credit ?? 0,
                    passed, i == 0 ? Math.Min(room, leftOfDay) : room);
            }
        }

        var member = new Member(
            id, now, report.At, leaves ? now : now + Validity, permits, report.Requests, report.Learned.Wants, before?.Share ?? 0,
            report.Learned.Accepted, report.Learned.Sending);
        (state, member, LearnedGrant learned) = SharedLearning.Decide(state, live, member, report.Learned, now, leaves);

        // What others may still send may come back: only what was sent is used up.
        double? left = report.PerDay is null ? null : leftOfDay + others.Sum(static other => other.PermitsOf(0)?.Held ?? 0);
        return new Decision(state, member, forgotten, new ModelGrant(grants, left, (state.DayStart ?? now) + Day - now, learned));
    }

    /// <summary>Returns what is known of learned limits at a moment: after ten minutes without a decision, the provider may have
    /// others.</summary>
    public static LearnedLaw? KnownAt(LimitState state, double now) => now > state.Now + LawLasts ? null : state.Law;

    /// <summary>Returns what counts of a limit at a moment.</summary>
    public static double Counted(MemberPermits? permits, Member member, double now)
    {
        if (permits is null)
        {
            return 0;
        }

        double counted = member.Until + Minute > now ? permits.Held : 0;
        for (var i = 0; i < permits.Sent.Length && member.At - (i * PermitReport.Step) + Minute > now; i++)
        {
            counted += permits.Sent[i];
        }

        return counted;
    }

    // A limit is for those that state it, and for those that state a lower one, because these keep both.
    private static double Room(PermitReport asked, Member[] others, int limit, double now)
    {
        double left = double.PositiveInfinity;
        foreach (double most in others.Select(other => other.PermitsOf(limit)!.Limit).Append(asked.Limit).Distinct())
        {
            if (most >= asked.Limit)
            {
                Member[] counted = [.. others.Where(other => other.PermitsOf(limit)!.Limit <= most)];
                left = Math.Min(left, most - counted.Sum(other => Counted(other.PermitsOf(limit), other, now)));
            }
        }

        return left - asked.Sent.Sum();
    }

    private static (MemberPermits Permits, PermitGrant Grant) Grant(
        PermitReport asked, MemberPermits[] others, double credit, double passed, double room)
    {
        double perSecond = FairShares.Nested(
            [.. others.Select(static other => other.Limit / 60 * Pace), asked.Limit / 60 * Pace],
            [.. others.Select(static other => other.Wants), asked.Wants])[^1];
        double most = Math.Max(perSecond * Ahead, asked.Need);
        credit = Math.Min(credit + (perSecond * passed), most + perSecond);

        // What is kept and what is about to be sent are part of an earlier grant.
        double free = room - asked.Pending - asked.Kept;
        double more = Math.Max(0, Math.Min(Math.Min(credit, free), most - asked.Kept));
        if (asked.Kept + more < asked.Need)
        {
            // Less than what waits is of no use yet.
            more = 0;
        }

        double amount = asked.Kept + more;
        return (
            new MemberPermits(asked.Sent, amount + asked.Pending, credit - more, asked.Wants, asked.Limit),
            new PermitGrant(amount, Math.Max(perSecond, amount / Interval), Validity));
    }

    private static double UsedOfDay(Member member) => member.Requests + (member.PermitsOf(0)?.Held ?? 0);
}

/// <summary>Represents what was decided about a report.</summary>
/// <param name="State">What is known now.</param>
/// <param name="Member">The member that reported.</param>
/// <param name="Forgotten">Members that are gone for so long that nothing of them counts.</param>
/// <param name="Grant">What the member may send.</param>
internal sealed record Decision(LimitState State, Member Member, IReadOnlyList<string> Forgotten, ModelGrant Grant);
