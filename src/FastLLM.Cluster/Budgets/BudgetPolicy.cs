using FastLLM.Costs;

namespace FastLLM.Cluster.Budgets;

/// <summary>Decides what a worker borrows of a shared budget, and what it gives back.</summary>
/// <remarks>
/// <para>The rule that keeps the budget: the loans of all workers together never exceed it, and a worker spends and reserves only what
/// it was lent. A worker lowers its limit before it reports that it gives money back, so a report that is lost, or comes late, harms
/// nothing; and what a lost worker had borrowed stays lent.</para>
/// <para>A worker borrows half a second and a quarter of what it has in flight ahead, so that its sends rarely wait. Near the end it gets
/// half of its share of the rest at most, so that the rest is divided ever more finely; once a request waits that the rest does not
/// cover, no worker borrows ahead.</para>
/// </remarks>
internal static class BudgetPolicy
{
    private const decimal Unit = 0.000_000_000_001m; // of the columns
    private const decimal Seconds = 0.5m;
    private const decimal Share = 4;

    /// <summary>Returns what should be borrowed beyond what is used and waited for.</summary>
    /// <param name="demand">The need.</param>
    /// <param name="perSecond">What sends have cost each second lately.</param>
    /// <param name="isShort">Whether a request waits, here or elsewhere, that the rest of the budget does not cover.</param>
    public static decimal Ahead(in BudgetDemand demand, decimal perSecond, bool isShort) =>
        isShort ? 0 : (perSecond * Seconds) + ((demand.Reserved + demand.Waiting) / Share);

    /// <summary>Returns the limit that a worker keeps: only what it used, if a request waits that the rest does not cover.</summary>
    public static decimal Keep(in BudgetDemand demand, decimal ahead, bool isShort) =>
        RoundUp(isShort ? demand.Used : Math.Min(demand.Limit, demand.Used + demand.Waiting + ahead));

    /// <summary>Writes the report.</summary>
    /// <param name="serial">Its number.</param>
    /// <param name="demand">The need, with the limit that the worker keeps.</param>
    /// <param name="ahead">What should be borrowed beyond it.</param>
    public static BudgetReport Report(long serial, in BudgetDemand demand, decimal ahead) => new(
        serial,
        RoundUp(demand.Spent),
        RoundUp(demand.Limit),
        RoundUp(demand.Used + demand.Waiting + ahead),
        demand.Waiting > 0 ? RoundUp(demand.Used + demand.Next) : 0);

    /// <summary>Decides what is lent to a worker.</summary>
    public static BudgetGrant Grant(in BudgetState state, in BudgetReport report)
    {
        decimal free = state.Budget - state.OthersLent - report.Kept;
        decimal least = Math.Max(0, report.Least - report.Kept);
        if (least > free)
        {
            return new BudgetGrant(report.Kept, IsLeftShort: true);
        }

        decimal share = RoundDown(Math.Max(0, free) / (2 * Math.Max(1, state.Workers)));
        decimal more = Math.Min(Math.Max(0, report.Wanted - report.Kept), Math.Max(least, share));
        return new BudgetGrant(report.Kept + more, IsLeftShort: false);
    }

    /// <summary>Returns what the worker may use, and when it needs more: when half of what it borrowed ahead is used.</summary>
    public static BudgetLoan Loan(in BudgetDemand demand, in BudgetState state, decimal lent) => new(
        state.Budget,
        lent,
        state.OthersPaid + state.Lost,
        state.Lost,
        Low: Math.Max(0, lent - demand.Used - demand.Waiting) / 2);

    private static decimal RoundUp(decimal amount) => decimal.Ceiling(amount / Unit) * Unit;

    private static decimal RoundDown(decimal amount) => decimal.Floor(amount / Unit) * Unit;
}
