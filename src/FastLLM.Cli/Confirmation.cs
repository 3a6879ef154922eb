namespace FastLLM.Cli;

/// <summary>Asks the user to confirm an expensive run.</summary>
/// <param name="canAsk">Returns whether there is a terminal to ask on.</param>
/// <param name="ask">Shows a question and returns the answer.</param>
internal sealed class Confirmation(Func<bool> canAsk, Func<string, string?> ask)
{
    /// <summary>Creates a confirmation on the terminal of the process.</summary>
    public static Confirmation OnTerminal(TextWriter error) => new(
        () => HasTerminal,
        question =>
        {
            error.Write(question);
            error.Flush();
            return Console.ReadLine();
        });

    /// <summary>Gets a value indicating whether the process has a terminal to ask on.</summary>
    public static bool HasTerminal => !Console.IsInputRedirected && !Console.IsErrorRedirected;

    /// <summary>Gets a value indicating whether there is a terminal to ask on.</summary>
    public bool CanAsk => canAsk();

    /// <summary>Asks a question.</summary>
    /// <param name="question">The question.</param>
    /// <param name="byEnter">The answer to an empty line.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>Whether the user agreed. The end of the input is no agreement.</returns>
    public async Task<bool> AsksAsync(string question, bool byEnter, CancellationToken cancellationToken)
    {
        // A read from the console does not end with a token: the wait does.
        string? answer = await Task.Run(() => ask($"{question} [{(byEnter ? "Y/n" : "y/N")}] "), CancellationToken.None)
            .WaitAsync(cancellationToken).ConfigureAwait(false);
        return answer?.Trim().ToUpperInvariant() switch
        {
            "" => byEnter,
            "Y" or "YES" => true,
            _ => false,
        };
    }

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
