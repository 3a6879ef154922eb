namespace FastLLM.Cluster.Budgets;

/// <summary>Represents the decision on a <see cref="BudgetReport"/>.</summary>
/// <param name="Lent">What is lent to the worker from now on, with what it has paid.</param>
/// <param name="IsLeftShort">Whether the rest of the budget does not cover the request that waits.</param>
internal readonly record struct BudgetGrant(decimal Lent, bool IsLeftShort);
