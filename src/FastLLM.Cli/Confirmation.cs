namespace FastLLM.Cli;

/// <summary>Asks a person before money is spent.</summary>
/// <param name="canAsk">Whether somebody sits at a terminal.</param>
/// <param name="ask">Puts a question, and gives the line that was typed.</param>
internal sealed class Confirmation(Func<bool> canAsk, Func<string, string?> ask)
{
    /// <summary>On the process's own terminal.</summary>
    public static Confirmation OnTerminal(TextWriter error) => new(
        () => !Console.IsInputRedirected && !Console.IsErrorRedirected,
        question =>
        {
            error.Write(question);
            error.Flush();
            return Console.ReadLine();
        });

    /// <summary>Lets a run through that costs no more than was said, or that a person agrees to.</summary>
    /// <param name="estimate">What it would cost.</param>
    /// <param name="above">From which cost on a person must agree.</param>
    /// <exception cref="UsageException">Nobody agreed; nothing was sent.</exception>
    public void Require(JobPlan estimate, decimal above)
    {
        ArgumentNullException.ThrowIfNull(estimate);
        if (estimate.HighCost <= above)
        {
            return;
        }

        string cost = $"This run sends {estimate.ToSend.ToString("N0", System.Globalization.CultureInfo.InvariantCulture)} requests; its cost: {EstimateText.Cost(estimate)}.";
        if (!canAsk())
        {
            throw new UsageException($"{cost} That may be above {CostText.Dollars(above)} (--confirm-above), and there is no terminal to ask on. Nothing was sent.");
        }

        if (ask($"{cost} Go on? [y/N] ")?.Trim().ToUpperInvariant() is not ("Y" or "YES"))
        {
            throw new UsageException("Not agreed to. Nothing was sent.");
        }
    }
}
