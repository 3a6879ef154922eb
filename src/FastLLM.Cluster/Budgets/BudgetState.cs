namespace FastLLM.Cluster.Budgets;

/// <summary>Represents the budget of a job as one of its workers finds it.</summary>
/// <param name="Budget">The budget in US dollars.</param>
/// <param name="OthersLent">What is lent to all others, with what the job had cost before.</param>
/// <param name="OthersPaid">The part of it that has been paid for certain.</param>
/// <param name="Lost">The part of it that workers without a report have not paid for certain, and may have.</param>
/// <param name="Workers">How many workers report, with this one.</param>
/// <param name="IsShort">Whether a request waits that the rest of the budget does not cover.</param>
internal readonly record struct BudgetState(
    decimal Budget, decimal OthersLent, decimal OthersPaid, decimal Lost, int Workers, bool IsShort);
