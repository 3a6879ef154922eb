using Microsoft.Extensions.Logging;

namespace FastLLM.Cluster.Budgets;

/// <summary>Logs what keeps a worker from its budget.</summary>
internal static partial class BudgetLog
{
    [LoggerMessage(701, LogLevel.Warning,
        "The shared budget cannot be reached. Sends continue with what is lent to this worker, and then wait.", EventName = "BudgetAway")]
    internal static partial void BudgetAway(this ILogger logger, Exception fault);

    [LoggerMessage(702, LogLevel.Warning,
        "The shared budget could not be reached at the end: {Amount} stays lent, and counts as possibly paid.", EventName = "BudgetNotReturned")]
    internal static partial void BudgetNotReturned(this ILogger logger, string amount);
}
