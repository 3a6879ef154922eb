using FastLLM.Costs;

namespace FastLLM.Jobs.Output;

/// <summary>Adds up the cost of a job over all its runs: what the records of the output state, and what the journal stores.</summary>
/// <remarks>A pipe has neither.</remarks>
/// <param name="journal">The journal.</param>
/// <param name="recorded">What the records of earlier runs state.</param>
/// <param name="meter">What knows by which factor answers cost more than their worst case.</param>
/// <param name="unstated">What those records cost without stating it, as far as a budget counts it. The next run counts it again, so the
/// journal does not store it.</param>
internal sealed class CostAccount(CostJournal? journal, decimal recorded, CostMeter meter, decimal unstated = 0)
{
    private decimal _written;
    private long _worstCases;

    /// <summary>Gets the cost of earlier runs.</summary>
    public decimal EarlierCost { get; } = recorded + unstated + (journal?.Unrecorded ?? 0);

    /// <summary>Counts a record of this run that states its cost.</summary>
    public void Written(decimal cost) => _written += cost;

    /// <summary>Counts sends of a run without a budget whose cost is unknown and that no record states, as worst cases of a row.</summary>
    public void AddWorstCases(long count) => _worstCases += count;

    /// <summary>Stores an upper bound of what will be spent or reserved without a record.</summary>
    /// <exception cref="LlmException">The journal cannot be written.</exception>
    public void Announce(decimal inFlight)
    {
        try
        {
            journal?.Announce(inFlight, meter.HighestFactor);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LlmException(FailureKind.Output, $"The cost in flight cannot be written to {journal!.Path}: {e.Message}", e);
        }
    }

    /// <summary>Stores the cost that no record states, at the end of a run.</summary>
    /// <param name="runCost">The cost of the run, and that of records that have left the output without stating it.</param>
    /// <param name="stated">What the records state that are left, if some may be gone; <see langword="null"/> if all are there.</param>
    /// <param name="isDone">Whether no row is left for another run.</param>
    /// <param name="say">Receives a message if the cost cannot be stored.</param>
    public void End(decimal runCost, decimal? stated, bool isDone, Action<FormattableString> say)
    {
        if (journal is null)
        {
            return;
        }

        decimal unrecorded = Math.Max(0, EarlierCost - unstated + runCost - (stated ?? recorded + _written));
        try
        {
            journal.Settle(unrecorded, isDone ? 1 : meter.HighestFactor, journal.WorstCases + _worstCases);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            say($"{journal.Path} cannot be written ({e.Message}): the next run will miss ${unrecorded:0.##########} of this job's cost.");
        }
    }
}
