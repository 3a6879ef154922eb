namespace FastLLM.Costs;

/// <summary>Represents what is lent to a ledger of a budget that several ledgers share.</summary>
/// <param name="Budget">The whole budget.</param>
/// <param name="Limit">What this ledger may spend and reserve of it, all in all.</param>
/// <param name="Elsewhere">What others have spent for certain, with what lost ones may have spent.</param>
/// <param name="MaybeSpent">The part of it that lost ones may have spent.</param>
/// <param name="Low">More is needed when less than this is left.</param>
internal readonly record struct BudgetLoan(decimal Budget, decimal Limit, decimal Elsewhere, decimal MaybeSpent, decimal Low);
