namespace FastLLM.Cluster.Budgets;

/// <summary>Represents the budget of a job, for those who look at it.</summary>
/// <param name="Budget">The budget in US dollars.</param>
/// <param name="Paid">What is paid for certain, with what the job had cost before.</param>
/// <param name="MaybePaid">What workers that ended without a report may have paid. It counts as paid.</param>
/// <param name="Lent">What working workers have borrowed and not paid.</param>
internal sealed record BudgetStatus(decimal Budget, decimal Paid, decimal MaybePaid, decimal Lent);
