namespace FastLLM.Costs;

/// <summary>Represents what a ledger that borrows its money has used, keeps and needs.</summary>
/// <param name="Spent">What the settled sends cost.</param>
/// <param name="Reserved">The worst case of the sends in flight.</param>
/// <param name="Limit">What may be spent and reserved until more is lent.</param>
/// <param name="Waiting">The worst case of all requests that wait for money.</param>
/// <param name="Next">The worst case of the first of them; 0 if none waits.</param>
internal readonly record struct BudgetDemand(decimal Spent, decimal Reserved, decimal Limit, decimal Waiting, decimal Next)
{
    /// <summary>Gets what cannot be given back.</summary>
    public decimal Used => Spent + Reserved;
}
