namespace FastLLM.Cluster.Budgets;

/// <summary>Represents what a worker reports of the money that it borrowed, and what it needs.</summary>
/// <param name="Serial">The number of the report, from 1.</param>
/// <param name="Paid">What its settled sends cost.</param>
/// <param name="Kept">What it keeps of its loan, with what is paid. It has given the rest back already.</param>
/// <param name="Wanted">What it would like to keep and borrow, with what is paid.</param>
/// <param name="Least">The least that would let the first request that waits be sent, with what is paid; 0 if none waits.</param>
internal readonly record struct BudgetReport(long Serial, decimal Paid, decimal Kept, decimal Wanted, decimal Least);
