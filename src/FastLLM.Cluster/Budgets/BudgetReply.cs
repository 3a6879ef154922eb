namespace FastLLM.Cluster.Budgets;

/// <summary>Represents the answer to a <see cref="BudgetReport"/>.</summary>
/// <param name="State">The budget as it was found.</param>
/// <param name="Grant">The decision.</param>
internal readonly record struct BudgetReply(BudgetState State, BudgetGrant Grant)
{
    /// <summary>Gets a value indicating whether no worker should borrow ahead.</summary>
    public bool IsShort => State.IsShort || Grant.IsLeftShort;
}
