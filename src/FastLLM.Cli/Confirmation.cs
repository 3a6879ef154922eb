namespace FastLLM.Cli;

/// <summary>Asks the user to confirm an expensive run.</summary>
/// <param name="canAsk">Returns whether there is a terminal to ask on.</param>
/// <param name="ask">Shows a question and returns the answer.</param>
internal sealed class Confirmation(Func<bool> canAsk, Func<string, string?> ask)
{
    /// <summary>Creates a confirmation on the terminal of the process.</summary>
    public static Confirmation OnTerminal(TextWriter error) => new(
        () => !Console.IsInputRedirected && !Console.IsErrorRedirected,
        question =>
        {
            error.Write(question);
            error.Flush();
            return Console.ReadLine();
        });

    /// <summary>Requires confirmation if the run may cost more than <paramref name="limit"/>, or if its cost is unknown.</summary>
    /// <exception cref="UsageException">The user did not confirm; nothing was sent.</exception>
    public void Require(JobPlan estimate, decimal limit)
    {
        ArgumentNullException.ThrowIfNull(estimate);
        if (estimate.HighCost <= limit)
        {
            return;
        }

        string cost = FormattableString.Invariant(
            $"This run sends {estimate.ToSend:N0} requests. Estimated cost: {EstimateText.Cost(estimate)}.");
        if (!canAsk())
        {
            throw new UsageException(
                $"{cost} It may exceed {CostText.Dollars(limit)} (--confirm-above), and there is no terminal to ask on. Nothing was sent.");
        }

        if (ask($"{cost} Continue? [y/N] ")?.Trim().ToUpperInvariant() is not ("Y" or "YES"))
        {
            throw new UsageException("Not confirmed. Nothing was sent.");
        }
    }
}
